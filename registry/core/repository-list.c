#include "registry/core/repository-list.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"

struct repository_list {
    struct store *store;
    unsigned fresh_ms;
    pthread_mutex_t lock; /* protects everything below */
    struct repository_names *names; /* NULL: not read yet */
    int64_t read_ms, used_ms;
    bool is_stale; /* this server may have created a repository since */
    bool is_busy;  /* a thread is reading */
};

struct repository_list *repository_list_new(struct store *store, unsigned fresh_ms)
{
    struct repository_list *list = calloc(1, sizeof(*list));

    if (!list)
        return NULL;
    list->store = store;
    list->fresh_ms = fresh_ms;
    pthread_mutex_init(&list->lock, NULL);
    return list;
}

/* Under the lock. */
static void names_unref(struct repository_names *names)
{
    if (!names || --names->references > 0)
        return;
    store_names_done(&names->names);
    free(names);
}

void repository_list_free(struct repository_list *list)
{
    if (!list)
        return;
    names_unref(list->names);
    pthread_mutex_destroy(&list->lock);
    free(list);
}

static bool has_name(const struct store_names *names, const char *name)
{
    return store_find_repository(names, name) < names->count;
}

void repository_list_note(struct repository_list *list, const struct event *event)
{
    if (event->kind != EVENT_PUSH_BLOB && event->kind != EVENT_PUSH_MANIFEST &&
        event->kind != EVENT_MOUNT_BLOB)
        return;
    pthread_mutex_lock(&list->lock);
    if (list->is_busy || (list->names && !has_name(&list->names->names, event->repository)))
        list->is_stale = true;
    pthread_mutex_unlock(&list->lock);
}

void repository_list_drop_unused(struct repository_list *list, int64_t idle_ms)
{
    pthread_mutex_lock(&list->lock);
    if (monotonic_ms() - list->used_ms > idle_ms) {
        names_unref(list->names);
        list->names = NULL;
    }
    pthread_mutex_unlock(&list->lock);
}

static int read_names(struct repository_list *list, struct repository_names **ret,
                      struct error *err)
{
    struct repository_names *names = calloc(1, sizeof(*names));
    int r;

    if (!names)
        return error_set_oom(err);
    r = store_list_repositories(list->store, NULL, SIZE_MAX, NULL, &names->names, err);
    if (r < 0)
        free(names);
    else
        *ret = names;
    return r;
}

/* Under the lock. A new reference, or NULL. */
static struct repository_names *take_known(struct repository_list *list)
{
    if (list->names)
        list->names->references++;
    return list->names;
}

int repository_list_get(struct repository_list *list, const struct repository_names **ret,
                        struct error *err)
{
    struct repository_names *names = NULL;
    bool is_current, is_mine;
    int64_t began_ms = monotonic_ms();
    int r;

    pthread_mutex_lock(&list->lock);
    list->used_ms = began_ms;
    is_current = list->names && !list->is_stale && began_ms - list->read_ms < list->fresh_ms;
    is_mine = !is_current && !list->is_busy;
    if (is_mine) {
        list->is_busy = true;
        list->is_stale = false;
    } else {
        names = take_known(list);
    }
    pthread_mutex_unlock(&list->lock);
    if (names)
        *ret = names;
    if (!is_mine)
        return names ? 0 : STORE_BUSY;
    r = read_names(list, &names, err);
    pthread_mutex_lock(&list->lock);
    list->is_busy = false;
    if (r == 0) {
        names_unref(list->names);
        list->names = names;
        list->read_ms = began_ms;
        names->references = 1;
        *ret = take_known(list);
    }
    pthread_mutex_unlock(&list->lock);
    return r;
}

void repository_list_release(struct repository_list *list, const struct repository_names *names)
{
    pthread_mutex_lock(&list->lock);
    names_unref((struct repository_names *)names);
    pthread_mutex_unlock(&list->lock);
}
