#pragma once

#include <stdint.h>

#include "common/error.h"
#include "registry/runtime/job-queue.h"

/*
 * Threads for work that event threads must not do: bcrypt, directories, fsync. The queue is fair
 * (registry/runtime/job-queue.h says how).
 */
struct worker_pool;

/*
 * Starts that many threads (at least one), named "<name>-<number>" (Linux keeps 15 characters).
 * queue_max: how many jobs may wait. niceness: added to the threads' own, 0 to 19, so that threads
 * that compute for long give way to those that answer. 0 with *ret owned by the caller
 * (worker_pool_stop), or negative. The threads block all signals and have stacks of 512 KiB.
 */
int worker_pool_start(const char *name, unsigned threads, unsigned queue_max, int niceness,
                      struct worker_pool **ret, struct error *err) MUST_USE;

/*
 * Queues job, which must stay in place until it runs. It does not run before delay_ms have passed;
 * 0: at once. Returns 0, or -EAGAIN if the queue or the owner's share of it is full, or if the pool
 * is being stopped; then the job will not run. Any thread may call it, also a job. Does not block.
 */
int worker_pool_submit(struct worker_pool *pool, const struct job_owner *owner, unsigned delay_ms,
                       struct job *job) MUST_USE;

/*
 * Accepts no more jobs, runs those that wait (parked ones at once), ends the threads and frees the
 * pool. Accepts NULL.
 */
void worker_pool_stop(struct worker_pool *pool);
