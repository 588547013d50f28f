/*
 * The event threads serve thousands of connections each, so what takes long is done
 * here. The fairness is why this is not just a queue: a lane holds the jobs of one key, and the lanes
 * that have jobs stand in a ring of their own.
 */
#include "registry/runtime/worker-pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

enum { STACK_SIZE = 512 << 10, NAME_SIZE = 16 };

/* The jobs of one key, while there are any. */
struct lane {
    uint64_t key;
    struct job *first, **end;
    unsigned count;
    struct lane *next_of_bucket; /* or the next free one */
    struct lane *next_in_ring;
};

struct worker {
    struct worker_pool *pool;
    pthread_t thread;
    char name[NAME_SIZE];
};

struct worker_pool {
    pthread_mutex_t mutex; /* of all that follows up to the workers */
    pthread_cond_t has_work;
    bool is_stopping;
    unsigned waiting, queue_max;
    struct lane *lanes; /* queue_max of them: no lane is empty, so there are never more */
    struct lane *free_lanes;
    struct lane *ring, **ring_end;
    struct lane **buckets;
    size_t bucket_mask;

    int niceness;
    unsigned worker_count;
    struct worker workers[];
};

/* --- the queue; the mutex is held ------------------------------------------------------- */

static struct lane **find_lane(struct worker_pool *pool, uint64_t key)
{
    /* Fibonacci hashing: keys may be addresses, which have their low bits alike. */
    struct lane **at = &pool->buckets[((key * 0x9E3779B97F4A7C15u) >> 32) & pool->bucket_mask];

    while (*at && (*at)->key != key)
        at = &(*at)->next_of_bucket;
    return at;
}

static void join_ring(struct worker_pool *pool, struct lane *lane)
{
    lane->next_in_ring = NULL;
    *pool->ring_end = lane;
    pool->ring_end = &lane->next_in_ring;
}

static struct lane *leave_ring(struct worker_pool *pool)
{
    struct lane *lane = pool->ring;

    pool->ring = lane->next_in_ring;
    if (!pool->ring)
        pool->ring_end = &pool->ring;
    return lane;
}

static struct lane *open_lane(struct worker_pool *pool, struct lane **at, uint64_t key)
{
    struct lane *lane = pool->free_lanes;

    pool->free_lanes = lane->next_of_bucket;
    *lane = (struct lane){.key = key, .end = &lane->first};
    *at = lane;
    join_ring(pool, lane);
    return lane;
}

static void close_lane(struct worker_pool *pool, struct lane *lane)
{
    struct lane **at = find_lane(pool, lane->key);

    *at = lane->next_of_bucket;
    lane->next_of_bucket = pool->free_lanes;
    pool->free_lanes = lane;
}

static int push(struct worker_pool *pool, uint64_t key, struct job *job)
{
    struct lane **at = find_lane(pool, key), *lane = *at;

    if (pool->is_stopping || pool->waiting == pool->queue_max)
        return -EAGAIN;
    if (lane && lane->count >= (pool->queue_max + 1) / 2)
        return -EAGAIN;
    if (!lane)
        lane = open_lane(pool, at, key);
    job->next = NULL;
    *lane->end = job;
    lane->end = &job->next;
    lane->count++;
    pool->waiting++;
    return 0;
}

/* The oldest job of the lane whose turn it is; there is one. */
static struct job *pop(struct worker_pool *pool)
{
    struct lane *lane = leave_ring(pool);
    struct job *job = lane->first;

    lane->first = job->next;
    lane->count--;
    pool->waiting--;
    if (lane->first)
        join_ring(pool, lane);
    else
        close_lane(pool, lane);
    return job;
}

int worker_pool_submit(struct worker_pool *pool, uint64_t fairness_key, struct job *job)
{
    int r;

    pthread_mutex_lock(&pool->mutex);
    r = push(pool, fairness_key, job);
    if (r == 0) /* before the unlock: after it the job may run, and whoever waited for it end the pool */
        pthread_cond_signal(&pool->has_work);
    pthread_mutex_unlock(&pool->mutex);
    return r;
}

/* --- the threads ------------------------------------------------------------------------ */

/* The next job, or NULL when the pool ends. */
static struct job *wait_for_job(struct worker_pool *pool)
{
    struct job *job = NULL;

    pthread_mutex_lock(&pool->mutex);
    while (pool->waiting == 0 && !pool->is_stopping)
        pthread_cond_wait(&pool->has_work, &pool->mutex);
    if (pool->waiting > 0)
        job = pop(pool);
    pthread_mutex_unlock(&pool->mutex);
    return job;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct job *job;

    pthread_setname_np(pthread_self(), worker->name);
    /* For Linux 0 means the calling thread. Refused, it only competes harder. */
    if (worker->pool->niceness > 0)
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + worker->pool->niceness);
    while ((job = wait_for_job(worker->pool)) != NULL)
        job->run(job);
    return NULL;
}

static int start_worker(struct worker_pool *pool, const pthread_attr_t *attributes, const char *name)
{
    struct worker *worker = &pool->workers[pool->worker_count];
    char number[12];
    int r;

    worker->pool = pool;
    snprintf(number, sizeof(number), "-%u", pool->worker_count);
    snprintf(worker->name, sizeof(worker->name), "%.10s%.5s", name, number);
    r = pthread_create(&worker->thread, attributes, work, worker);
    if (r == 0)
        pool->worker_count++;
    return -r;
}

/* Signals are for the main thread: the workers inherit that they are blocked. */
static int start_workers(struct worker_pool *pool, const char *name, unsigned threads)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int r = -pthread_attr_init(&attributes);

    if (r < 0)
        return r;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (unsigned i = 0; r == 0 && i < threads; i++)
        r = start_worker(pool, &attributes, name);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return r;
}

static int make_queue(struct worker_pool *pool, unsigned queue_max)
{
    size_t buckets = 1;

    while (buckets < queue_max)
        buckets *= 2;
    pool->queue_max = queue_max;
    pool->lanes = calloc(queue_max, sizeof(*pool->lanes));
    pool->buckets = calloc(buckets, sizeof(*pool->buckets));
    pool->bucket_mask = buckets - 1;
    pool->ring_end = &pool->ring;
    if (!pool->lanes || !pool->buckets)
        return -ENOMEM;
    for (unsigned i = 0; i < queue_max; i++)
        pool->lanes[i].next_of_bucket = i + 1 < queue_max ? &pool->lanes[i + 1] : NULL;
    pool->free_lanes = pool->lanes;
    return 0;
}

int worker_pool_start(const char *name, unsigned threads, unsigned queue_max, int niceness,
                      struct worker_pool **ret, struct error *err)
{
    struct worker_pool *pool;
    int r;

    if (threads == 0 || queue_max == 0)
        return error_set(err, EINVAL, "a pool of %u threads with a queue of %u cannot work", threads, queue_max);
    pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->workers[0]));
    if (!pool)
        return error_set_oom(err);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    pool->niceness = niceness;
    r = make_queue(pool, queue_max);
    if (r == 0)
        r = start_workers(pool, name, threads);
    if (r < 0) {
        worker_pool_stop(pool);
        return error_set_errno(err, -r, "cannot start %u threads (%s)", threads, name);
    }
    *ret = pool;
    return 0;
}

void worker_pool_stop(struct worker_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->is_stopping = true;
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_broadcast(&pool->has_work);
    for (unsigned i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->lanes);
    free(pool->buckets);
    free(pool);
}
