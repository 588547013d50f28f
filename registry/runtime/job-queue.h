#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/macros.h"

/*
 * The queue of a worker pool. It is fair, and never gives one principal all workers:
 *
 * - Principals take turns, and within a principal its addresses take turns. A thousand jobs of one
 *   delay the next job of another by one job, not by a thousand.
 * - A principal may run at most twice as many jobs as there are free workers, and the last free
 *   worker is only given to a principal that has none. So a principal with long jobs leaves a third
 *   of the workers to others.
 * - A principal may fill half of the queue, and may have PARKED_MAX parked jobs, which wait for a
 *   time.
 *
 * The caller holds a lock during each call. Nothing is allocated after job_queue_new().
 */
struct job_queue;
struct lane;

enum { JOB_QUEUE_PARKED_MAX = 64 };

/* The principal and the address that a job belongs to. */
struct job_owner {
    uint64_t principal, address;
};

/* A member of the caller's own struct. The other members are the queue's. */
struct job {
    /*
     * Runs once, on a worker thread. It may free the job, because the pool does not access the job
     * after the call.
     */
    void (*run)(struct job *job);
    struct job *next;
    struct lane *lane;
    uint64_t address, due_ms;
};

/*
 * At most queue_max jobs can wait. Owned by the caller, free with job_queue_free(). NULL: out of
 * memory.
 */
struct job_queue *job_queue_new(unsigned queue_max, unsigned workers);
void job_queue_free(struct job_queue *queue); /* accepts NULL */

/*
 * due_ms is the earliest time to run the job (common/monotonic.h); 0: at once. Returns 0, or
 * -EAGAIN if there is no room.
 */
int job_queue_push(struct job_queue *queue, const struct job_owner *owner, uint64_t due_ms,
                   struct job *job) MUST_USE;

/*
 * Takes the next job that may run, or NULL. Call job_queue_finish() with its lane after it has run.
 */
struct job *job_queue_take(struct job_queue *queue);
void job_queue_finish(struct job_queue *queue, struct lane *lane);

/* Whether job_queue_take() would return a job. */
bool job_queue_is_runnable(struct job_queue *queue);

/* Whether no job waits. */
bool job_queue_is_empty(const struct job_queue *queue);

/* When the first parked job is due; UINT64_MAX if none is parked. */
uint64_t job_queue_get_due(const struct job_queue *queue);

/* Moves parked jobs that are due to the queue. */
void job_queue_release_due(struct job_queue *queue, uint64_t now_ms);
