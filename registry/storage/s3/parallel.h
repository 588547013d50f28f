#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/* Requests that do not depend on each other, several at a time. */

enum { S3_AT_ONCE = 8 };

/* One of them. 0, a named outcome, or negative. Runs on any thread. */
typedef int s3_task(void *object, size_t number, struct error *err);

/*
 * Runs the task for each number below count, S3_AT_ONCE at a time, until one returns not 0. Returns
 * that, or 0 after all have returned.
 */
int s3_run_parallel(size_t count, s3_task *task, void *object, struct error *err) MUST_USE;
