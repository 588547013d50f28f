#include "registry/core/health.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/condition.h"
#include "common/thread.h"

struct health {
    struct store *store;
    struct health_options options;

    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, is_ending;
    unsigned failures; /* in a row */
    struct error problem; /* of the last */
};

/* Waits for the interval. Returns whether the thread must end. */
static bool rest(struct health *health)
{
    struct timespec end = condition_deadline((int64_t)health->options.interval_ms);
    bool is_ending;

    pthread_mutex_lock(&health->mutex);
    while (!health->is_ending &&
           pthread_cond_timedwait(&health->changed, &health->mutex, &end) != ETIMEDOUT)
        ;
    is_ending = health->is_ending;
    pthread_mutex_unlock(&health->mutex);
    return is_ending;
}

static void check_once(struct health *health)
{
    struct error err;
    int r = store_check(health->store, &err);

    pthread_mutex_lock(&health->mutex);
    if (r == 0) {
        health->failures = 0;
    } else {
        health->failures += health->failures < health->options.threshold;
        health->problem = err;
    }
    pthread_mutex_unlock(&health->mutex);
}

static void *run(void *object)
{
    struct health *health = object;

    do
        check_once(health);
    while (!rest(health));
    return NULL;
}

static int start_thread(struct health *health, struct error *err)
{
    int r = thread_start(&health->thread, "health", run, health);

    if (r < 0)
        return error_set_errno(err, -r, "cannot start a thread");
    health->has_thread = true;
    return 0;
}

int health_start(struct store *store, const struct health_options *options, struct health **ret,
                 struct error *err)
{
    struct health *health = calloc(1, sizeof(*health));
    int r = 0;

    if (!health)
        return error_set_oom(err);
    health->store = store;
    health->options = *options;
    pthread_mutex_init(&health->mutex, NULL);
    condition_init(&health->changed);
    if (store_is_remote(store) && options->is_checked)
        r = start_thread(health, err);
    if (r < 0) {
        health_stop(health);
        return r;
    }
    *ret = health;
    return 0;
}

void health_stop(struct health *health)
{
    if (!health)
        return;
    pthread_mutex_lock(&health->mutex);
    health->is_ending = true;
    pthread_cond_broadcast(&health->changed);
    pthread_mutex_unlock(&health->mutex);
    if (health->has_thread)
        pthread_join(health->thread, NULL);
    pthread_cond_destroy(&health->changed);
    pthread_mutex_destroy(&health->mutex);
    free(health);
}

/* The breaker of a remote storage opens while checks may still be under way. */
static int look_at_requests(const struct health *health, struct error *err)
{
    struct storage_request_counters counters;

    store_count_requests(health->store, &counters);
    return counters.is_down ? error_set(err, EHOSTDOWN, "the storage does not answer") : 0;
}

int health_get(struct health *health, struct error *err)
{
    int r = 0;

    if (!store_is_remote(health->store))
        return store_check(health->store, err);
    if (!health->has_thread)
        return look_at_requests(health, err);
    pthread_mutex_lock(&health->mutex);
    if (health->failures >= health->options.threshold) {
        *err = health->problem;
        r = -err->code;
    }
    pthread_mutex_unlock(&health->mutex);
    return r < 0 ? r : look_at_requests(health, err);
}
