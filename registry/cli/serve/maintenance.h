#pragma once

#include <pthread.h>
#include <time.h>

#include "registry/access/access-file.h"
#include "registry/access/identity-pruning.h"
#include "registry/cli/serve/growth-recording.h"
#include "registry/cli/serve/upload-purging.h"
#include "registry/config/settings.h"
#include "registry/core/lease.h"
#include "registry/core/pulls.h"
#include "registry/core/store.h"

/*
 * A thread of low priority that writes the records of pulls and of growth, counts quotas, removes
 * abandoned uploads and the records of unused identity tokens, and collects garbage on the schedule
 * of storage.maintenance.garbagecollect. If several servers share a storage, one of them collects.
 */
struct maintenance_counters {
    uint64_t runs, failures, tags, blobs, bytes; /* atomic */
};

struct maintenance {
    const struct settings_storage *settings; /* borrowed, like the next four */
    struct store *store;
    struct watched_table *access_file; /* NULL: no rules */
    struct pull_log *pulls;          /* NULL: pulls are not recorded */
    struct tokens *tokens; /* NULL: no tokens */
    struct growth_recording growth; /* its store and page */
    struct maintenance_counters counters;

    /* Set by maintenance_start(). */
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock; /* protects the next three */
    pthread_cond_t changed;
    bool is_stopping;   /* the server is being stopped, */
    bool has_last_pull; /* and has ended its last request */

    /* Used by the thread only. */
    struct lease lease;
    int64_t work_began_ms; /* when its last rest ended */
    int64_t next_flush_ms, next_count_ms; /* of monotonic_ms() */
    int64_t started_s;
    struct identity_pruning pruning;
    struct upload_purging purging;
};

/* Reads the time zone, which a confined process cannot do later. */
void maintenance_prepare(void);

/*
 * Set the members before thread first. Starts no thread if there is nothing to do. 0 or negative.
 */
int maintenance_start(struct maintenance *maintenance, struct error *err) MUST_USE;

/*
 * Has the thread end its run after the current step. Waits for nothing. Does nothing if the thread
 * was not started, like maintenance_stop().
 */
void maintenance_end_run(struct maintenance *maintenance);

/* After maintenance_end_run() and the last request: records what was pulled, and ends the thread. */
void maintenance_stop(struct maintenance *maintenance);

/*
 * Whether a time of day, in minutes, is in the window from first to end, which may span midnight.
 * first == end: always.
 */
bool maintenance_is_in_window(unsigned minute, unsigned first, unsigned end);
