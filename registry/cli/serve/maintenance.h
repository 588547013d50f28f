#pragma once

#include <pthread.h>
#include <time.h>

#include "registry/access/access-file.h"
#include "registry/access/identity-pruning.h"
#include "registry/config/settings.h"
#include "registry/core/lease.h"
#include "registry/core/pulls.h"
#include "registry/core/store.h"

/*
 * A thread of low priority that writes the record of pulls, removes records of unused identity tokens, and collects garbage on
 * the schedule of storage.maintenance.garbagecollect. Of several servers, one collects.
 */
struct maintenance_counters {
    uint64_t runs, failures, tags, blobs, bytes; /* atomic */
};

struct maintenance {
    const struct settings_storage *settings; /* borrowed, like the next four */
    struct store *store;
    struct access_file *access_file; /* NULL: no rules */
    struct pull_log *pulls;          /* NULL: pulls are not recorded */
    struct tokens *tokens;           /* NULL: there are none */
    struct maintenance_counters counters;

    /* Its own. */
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock; /* of is_stopping */
    pthread_cond_t changed;
    bool is_stopping;

    /* Of the thread. */
    struct lease lease;
    int64_t work_began_ms; /* since when it has not rested */
    int64_t next_flush_ms, next_count_ms; /* of monotonic_ms() */
    int64_t started_s;
    struct identity_pruning pruning;
};

/* Reads the time zone, which a confined process cannot do later. */
void maintenance_prepare(void);

/* After the members above are set. 0 or negative. Starts no thread if there is nothing to do. */
int maintenance_start(struct maintenance *maintenance, struct error *err) MUST_USE;

/* Ends a run that is going on, after the step at hand. Also for one that was not started. */
void maintenance_stop(struct maintenance *maintenance);

/* Writes the record of pulls, after the last request. Takes one that was not started, too. */
void maintenance_flush(struct maintenance *maintenance);

/* Whether a time of day, in minutes, is in the window from first to end; it may go over midnight. first == end: always. */
bool maintenance_is_in_window(unsigned minute, unsigned first, unsigned end);
