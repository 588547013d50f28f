#include "registry/storage/s3/remover.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread.h"
#include "registry/storage/s3/delete-many.h"

enum { WAITING_MAX = 4 * S3_DELETE_MAX };

struct remover {
    struct s3 *s3;
    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    pthread_t thread; /* starts with the first key */
    bool has_thread, is_ending;
    char *keys[WAITING_MAX]; /* the first `sent` of them are being removed */
    size_t count, sent;
};

/* Forgets the keys that were sent. With the mutex held. */
static void forget_sent(struct remover *remover)
{
    for (size_t i = 0; i < remover->sent; i++)
        free(remover->keys[i]);
    remover->count -= remover->sent;
    memmove(remover->keys, remover->keys + remover->sent,
            remover->count * sizeof(*remover->keys));
    remover->sent = 0;
}

/* Removes what is waiting. With the mutex held, except during the request. */
static void remove_waiting(struct remover *remover)
{
    const char *keys[S3_DELETE_MAX];
    struct error ignored;

    remover->sent = remover->count < S3_DELETE_MAX ? remover->count : S3_DELETE_MAX;
    memcpy(keys, remover->keys, remover->sent * sizeof(*keys));
    pthread_mutex_unlock(&remover->mutex);
    (void)!s3_delete_many(remover->s3, keys, remover->sent, &ignored);
    pthread_mutex_lock(&remover->mutex);
    forget_sent(remover);
}

static void *run(void *object)
{
    struct remover *remover = object;

    pthread_mutex_lock(&remover->mutex);
    while (remover->count > 0 || !remover->is_ending) {
        if (remover->count > 0)
            remove_waiting(remover);
        else
            pthread_cond_wait(&remover->changed, &remover->mutex);
    }
    pthread_mutex_unlock(&remover->mutex);
    return NULL;
}

/* With the mutex held. 0 or negative. */
static int start_thread(struct remover *remover)
{
    int r;

    if (remover->has_thread)
        return 0;
    r = thread_start(&remover->thread, "s3-remover", run, remover);
    remover->has_thread = r == 0;
    return r;
}

struct remover *remover_new(struct s3 *s3)
{
    struct remover *remover = calloc(1, sizeof(*remover));

    if (!remover)
        return NULL;
    remover->s3 = s3;
    pthread_mutex_init(&remover->mutex, NULL);
    pthread_cond_init(&remover->changed, NULL);
    return remover;
}

void remover_free(struct remover *remover)
{
    if (!remover)
        return;
    pthread_mutex_lock(&remover->mutex);
    remover->is_ending = true;
    pthread_cond_signal(&remover->changed);
    pthread_mutex_unlock(&remover->mutex);
    if (remover->has_thread)
        pthread_join(remover->thread, NULL);
    pthread_cond_destroy(&remover->changed);
    pthread_mutex_destroy(&remover->mutex);
    free(remover);
}

int remover_add(struct remover *remover, const char *key)
{
    char *copy = strdup(key);
    int r = -ENOMEM;

    if (!copy)
        return r;
    pthread_mutex_lock(&remover->mutex);
    r = remover->count < WAITING_MAX ? start_thread(remover) : -EAGAIN;
    if (r == 0) {
        remover->keys[remover->count++] = steal_ptr(&copy);
        pthread_cond_signal(&remover->changed);
    }
    pthread_mutex_unlock(&remover->mutex);
    free(copy);
    return r;
}

bool remover_has(struct remover *remover, const char *key)
{
    bool is_there = false;

    pthread_mutex_lock(&remover->mutex);
    for (size_t i = 0; !is_there && i < remover->count; i++)
        is_there = strcmp(remover->keys[i], key) == 0;
    pthread_mutex_unlock(&remover->mutex);
    return is_there;
}
