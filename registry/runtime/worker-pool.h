#pragma once

#include <stdint.h>

#include "common/error.h"

/*
 * Threads for what must not happen on event threads: bcrypt, folders, fsync. The queue is fair:
 * jobs of different keys are served in turns, so that somebody's thousand jobs delay the next
 * one of somebody else by one job of theirs, not by a thousand.
 */
struct worker_pool;

/* Lies inside the caller's own struct, for it allocates nothing; the other members are the pool's. */
struct job {
    /* Runs once, on a worker thread. The pool does not touch the job any more, so it may free it. */
    void (*run)(struct job *job);
    struct job *next;
};

/*
 * Starts that many threads (at least one), named "<name>-<number>" (Linux keeps 15 characters).
 * queue_max: the most jobs that may wait, of which one key may have half. niceness: added to the
 * threads' own, 0 to 19, so that what computes for long gives way to those that answer. 0 with *ret
 * owned by the caller (worker_pool_stop), or negative. The threads block all signals and have
 * stacks of 512 KiB.
 */
int worker_pool_start(const char *name, unsigned threads, unsigned queue_max, int niceness,
                      struct worker_pool **ret, struct error *err) MUST_USE;

/*
 * Queues job, which must stay where it is until it runs. 0, or -EAGAIN where the queue, or the share
 * of this key, is full, or the pool is being stopped: the job will not run then. From any thread,
 * also from within a job. Does not block.
 */
int worker_pool_submit(struct worker_pool *pool, uint64_t fairness_key, struct job *job) MUST_USE;

/* Takes no more jobs, runs those that wait, ends the threads and frees the pool; takes NULL. */
void worker_pool_stop(struct worker_pool *pool);
