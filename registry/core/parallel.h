#pragma once

#include <stddef.h>

#include "common/error.h"

/*
 * Loops whose calls run on several threads. Loops may be nested: they share a number of threads, so
 * that a loop within a loop does not multiply them.
 */
struct parallel {
    unsigned spare; /* how many more threads may be started; atomic */
};

typedef int parallel_function(void *object, size_t index, struct error *err);

/*
 * Calls a function for each index below count, up to at_once at a time. The calling thread takes
 * part, so the loop goes on even if there is no spare thread; while there are, it starts more. All
 * have ended when it returns. After the first failure no further call begins, and that failure is
 * returned.
 */
int parallel_for(struct parallel *parallel, size_t count, unsigned at_once,
                 parallel_function *function, void *object, struct error *err) MUST_USE;
