#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "registry/access/access.h"
#include "registry/core/store.h"

/*
 * A thread that reads the keys that sign tokens again in time, and records which robots were used.
 * Both may wait for the storage, so the main thread must not do it. Initialize it with zeros.
 */
struct login_upkeep {
    /* Set these before login_upkeep_start(). Borrowed. */
    struct access *access;
    struct store *store;
    bool is_read_only;

    /* Set by login_upkeep_start(). */
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock; /* protects the next three */
    pthread_cond_t changed;
    bool is_stopping, is_woken;

    int64_t keys_read_ms; /* of monotonic_ms(); only the thread uses it */
};

/* Starts no thread if there are neither tokens nor robots. 0 or negative. */
int login_upkeep_start(struct login_upkeep *upkeep, struct error *err) MUST_USE;

/* Has the thread read the keys now. Waits for nothing. */
void login_upkeep_wake(struct login_upkeep *upkeep);

/* After the last request: records the last uses of robots. */
void login_upkeep_stop(struct login_upkeep *upkeep);
