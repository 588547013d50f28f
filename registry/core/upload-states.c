#include "registry/core/upload-states.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A state takes about 1 KiB. */
enum { MOST_IDLE = 1024, LONGEST_IDLE_S = 60 * 60 };

struct state {
    char *key; /* "<name>/<id>" */
    bool is_claimed;
    struct upload_hash hash; /* of one that is not claimed */
    time_t since_s;          /* it has been idle */
    struct state *older, *newer; /* among the idle */
};

struct upload_states {
    pthread_mutex_t mutex;
    pthread_cond_t has_ended; /* a claim */
    void *tree; /* of struct state, for tsearch() */
    struct state *oldest, *newest; /* of the idle */
    size_t idle_count;
};

void upload_hash_done(struct upload_hash *hash)
{
    hasher_free(hash->sha256);
    hasher_free(hash->sha512);
    *hash = (struct upload_hash){0};
}

static void state_free(void *object)
{
    struct state *state = object;

    upload_hash_done(&state->hash);
    free(state->key);
    free(state);
}

static int compare(const void *a, const void *b)
{
    const struct state *left = a, *right = b;

    return strcmp(left->key, right->key);
}

struct upload_states *upload_states_new(void)
{
    struct upload_states *states = calloc(1, sizeof(*states));
    pthread_condattr_t attributes;

    if (!states)
        return NULL;
    pthread_mutex_init(&states->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&states->has_ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return states;
}

void upload_states_free(struct upload_states *states)
{
    if (!states)
        return;
    tdestroy(states->tree, state_free);
    pthread_cond_destroy(&states->has_ended);
    pthread_mutex_destroy(&states->mutex);
    free(states);
}

/* --- under the mutex ----------------------------------------------------------------------- */

static void leave_idle(struct upload_states *states, struct state *state)
{
    *(state->older ? &state->older->newer : &states->oldest) = state->newer;
    *(state->newer ? &state->newer->older : &states->newest) = state->older;
    state->older = state->newer = NULL;
    states->idle_count--;
}

static void join_idle(struct upload_states *states, struct state *state)
{
    state->since_s = time(NULL);
    state->older = states->newest;
    *(states->newest ? &states->newest->newer : &states->oldest) = state;
    states->newest = state;
    states->idle_count++;
}

static void drop(struct upload_states *states, struct state *state)
{
    tdelete(state, &states->tree, compare);
    state_free(state);
}

static void drop_oldest(struct upload_states *states)
{
    time_t now_s = time(NULL);

    while (states->oldest &&
           (states->idle_count > MOST_IDLE || now_s - states->oldest->since_s > LONGEST_IDLE_S)) {
        struct state *state = states->oldest;

        leave_idle(states, state);
        drop(states, state);
    }
}

static struct state *find(struct upload_states *states, char *key)
{
    struct state wanted = {.key = key}, **found = tfind(&wanted, &states->tree, compare);

    return found ? *found : NULL;
}

/* Takes ownership of key. */
static int add_claimed(struct upload_states *states, char **key)
{
    struct state *state = calloc(1, sizeof(*state));

    if (!state)
        return -ENOMEM;
    *state = (struct state){.key = steal_ptr(key), .is_claimed = true};
    if (tsearch(state, &states->tree, compare))
        return 0;
    state_free(state);
    return -ENOMEM;
}

/* --- for all ------------------------------------------------------------------------------- */

static char *make_key(const char *name, const char *id)
{
    char *key;

    return asprintf(&key, "%s/%s", name, id) < 0 ? NULL : key;
}

static struct timespec deadline_of(unsigned patience_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += patience_ms / 1000;
    at.tv_nsec += (long)(patience_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

int upload_states_claim(struct upload_states *states, const char *name, const char *id, unsigned patience_ms,
                        struct upload_hash *ret)
{
    CLEANUP_FREE char *key = make_key(name, id);
    const struct timespec deadline = deadline_of(patience_ms);
    struct upload_hash hash = {0};
    struct state *state;
    int r = 0;

    if (!key)
        return -ENOMEM;
    pthread_mutex_lock(&states->mutex);
    while ((state = find(states, key)) && state->is_claimed && r == 0)
        r = -pthread_cond_timedwait(&states->has_ended, &states->mutex, &deadline);
    r = 0;
    if (!state) {
        r = add_claimed(states, &key);
    } else if (state->is_claimed) {
        r = -EBUSY;
    } else {
        leave_idle(states, state);
        state->is_claimed = true;
        hash = state->hash;
        state->hash = (struct upload_hash){0};
    }
    pthread_mutex_unlock(&states->mutex);
    if (r == 0)
        *ret = hash;
    return r;
}

void upload_states_release(struct upload_states *states, const char *name, const char *id, struct upload_hash *hash,
                           bool keep)
{
    char key[512];
    struct state *state;

    snprintf(key, sizeof(key), "%s/%s", name, id);
    pthread_mutex_lock(&states->mutex);
    state = find(states, key);
    if (state && keep) {
        state->is_claimed = false;
        state->hash = *hash;
        *hash = (struct upload_hash){0};
        join_idle(states, state);
    } else if (state) {
        drop(states, state);
    }
    drop_oldest(states);
    pthread_cond_broadcast(&states->has_ended);
    pthread_mutex_unlock(&states->mutex);
    upload_hash_done(hash);
}
