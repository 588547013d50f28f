#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "common/time-units.h"

/* Condition variables that wait on the clock of common/monotonic.h. */

static inline void condition_init(pthread_cond_t *ret)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(ret, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* The moment in ms milliseconds, for pthread_cond_timedwait(). */
static inline struct timespec condition_deadline(int64_t ms)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / MS_PER_S;
    end.tv_nsec += ms % MS_PER_S * NS_PER_MS;
    end.tv_sec += end.tv_nsec / NS_PER_S;
    end.tv_nsec %= NS_PER_S;
    return end;
}
