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
 * Starts that many threads (at least one). They are named "<name>-<number>" (Linux keeps 15
 * characters), block all signals, and have stacks of 512 KiB. At most queue_max jobs can wait.
 * niceness, 0 to 19, is added to the threads' own, so that threads that compute for long yield to
 * those that answer. Returns 0 with *ret owned by the caller, free with worker_pool_stop(), or
 * negative.
 */
int worker_pool_start(const char *name, unsigned threads, unsigned queue_max, int niceness,
                      struct worker_pool **ret, struct error *err) MUST_USE;

/*
 * Queues job, which must stay valid until it runs. It runs after delay_ms at the earliest. Returns
 * 0, or -EAGAIN if the queue or the owner's share of it is full, or if the pool is being stopped;
 * in that case the job will not run. Any thread may call it, also from a job. Does not block.
 */
int worker_pool_submit(struct worker_pool *pool, const struct job_owner *owner, unsigned delay_ms,
                       struct job *job) MUST_USE;

/*
 * Stops accepting jobs, runs the waiting jobs (parked ones immediately), ends the threads and frees
 * the pool. Accepts NULL.
 */
void worker_pool_stop(struct worker_pool *pool);
