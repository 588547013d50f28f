/*
 * The threads of a pool. They take jobs from the queue in registry/runtime/job-queue.h.
 */
#include "registry/runtime/worker-pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/condition.h"
#include "common/monotonic.h"

enum { STACK_SIZE = 512 << 10, NAME_SIZE = 16 };

struct worker {
    struct worker_pool *pool;
    pthread_t thread;
    char name[NAME_SIZE];
};

struct worker_pool {
    pthread_mutex_t mutex; /* protects the members up to niceness */
    pthread_cond_t has_work;
    bool is_stopping;
    bool has_timekeeper; /* a worker waits until the first parked job is due */
    struct job_queue *queue;

    int niceness;
    unsigned worker_count;
    struct worker workers[];
};

/* --- jobs --------------------------------------------------------------------------------- */

int worker_pool_submit(struct worker_pool *pool, const struct job_owner *owner, unsigned delay_ms,
                       struct job *job)
{
    uint64_t due_ms = delay_ms ? (uint64_t)monotonic_ms() + delay_ms : 0;
    int r = -EAGAIN;

    pthread_mutex_lock(&pool->mutex);
    if (!pool->is_stopping)
        r = job_queue_push(pool->queue, owner, due_ms, job);
    /*
     * Signal before unlocking: after that the job may run, and a thread that waits for the job may
     * end the pool.
     */
    if (r == 0 && due_ms > 0 && job_queue_get_due(pool->queue) == due_ms)
        pthread_cond_broadcast(&pool->has_work); /* the timekeeper must wake earlier */
    else if (r == 0 && job_queue_is_runnable(pool->queue))
        pthread_cond_signal(&pool->has_work);
    pthread_mutex_unlock(&pool->mutex);
    return r;
}

/* Waits until there may be a job. One waiting worker, the timekeeper, watches the clock for all. */
static void wait_for_work(struct worker_pool *pool)
{
    uint64_t due_ms = job_queue_get_due(pool->queue);
    struct timespec due = {.tv_sec = (time_t)(due_ms / MS_PER_S),
                           .tv_nsec = (long)(due_ms % MS_PER_S) * NS_PER_MS};

    if (due_ms == UINT64_MAX || pool->has_timekeeper) {
        pthread_cond_wait(&pool->has_work, &pool->mutex);
        return;
    }
    pool->has_timekeeper = true;
    pthread_cond_timedwait(&pool->has_work, &pool->mutex, &due);
    pool->has_timekeeper = false;
}

static bool is_over(const struct worker_pool *pool)
{
    return pool->is_stopping && job_queue_is_empty(pool->queue);
}

/* Wakes another worker if there are more jobs. */
static void pass_on(struct worker_pool *pool)
{
    if (is_over(pool))
        pthread_cond_broadcast(&pool->has_work);
    else if (job_queue_is_runnable(pool->queue) || job_queue_get_due(pool->queue) != UINT64_MAX)
        pthread_cond_signal(&pool->has_work);
}

/* Finishes the previous job (finished, or NULL), and takes the next; NULL when the pool ends. */
static struct job *next_job(struct worker_pool *pool, struct lane *finished)
{
    struct job *job;

    pthread_mutex_lock(&pool->mutex);
    if (finished)
        job_queue_finish(pool->queue, finished);
    for (;;) {
        if (job_queue_get_due(pool->queue) != UINT64_MAX)
            job_queue_release_due(pool->queue,
                                  pool->is_stopping ? UINT64_MAX : (uint64_t)monotonic_ms());
        job = job_queue_take(pool->queue);
        if (job || is_over(pool))
            break;
        wait_for_work(pool);
    }
    pass_on(pool);
    pthread_mutex_unlock(&pool->mutex);
    return job;
}

/* --- the threads ------------------------------------------------------------------------ */

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct lane *finished = NULL;
    struct job *job;

    pthread_setname_np(pthread_self(), worker->name);
    /* On Linux, 0 means the calling thread. If this fails, the thread keeps its priority. */
    if (worker->pool->niceness > 0)
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + worker->pool->niceness);
    while ((job = next_job(worker->pool, finished)) != NULL) {
        finished = job->lane;
        job->run(job);
    }
    return NULL;
}

static int start_worker(struct worker_pool *pool, const pthread_attr_t *attributes,
                        const char *name)
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

/* The workers inherit a mask that blocks all signals, because signals are for the main thread. */
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

static void init_locks(struct worker_pool *pool)
{
    pthread_mutex_init(&pool->mutex, NULL);
    condition_init(&pool->has_work);
}

int worker_pool_start(const char *name, unsigned threads, unsigned queue_max, int niceness,
                      struct worker_pool **ret, struct error *err)
{
    struct worker_pool *pool;
    int r;

    if (threads == 0 || queue_max == 0)
        return error_set(err, EINVAL, "a pool of %u threads with a queue of %u cannot work",
                         threads, queue_max);
    pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->workers[0]));
    if (!pool)
        return error_set_oom(err);
    init_locks(pool);
    pool->niceness = niceness;
    pool->queue = job_queue_new(queue_max, threads);
    r = pool->queue ? start_workers(pool, name, threads) : -ENOMEM;
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
    job_queue_free(pool->queue);
    free(pool);
}
