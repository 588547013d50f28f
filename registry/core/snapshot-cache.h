#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/*
 * Keeps what one long reading of the storage has found, for people who look at it. A snapshot never
 * changes; a newer one replaces it. One thread reads, and others get the snapshot before.
 */
struct snapshot_cache;

/* Put it at the beginning of a struct; it belongs to the cache. */
struct snapshot {
    unsigned references;
};

struct snapshot_source {
    /* Reads; may take long. 0 with *ret, or negative. */
    int (*read)(void *object, struct snapshot **ret, struct error *err);
    void (*free)(struct snapshot *snapshot);
    void *object;
    int64_t fresh_ms;     /* how long a snapshot is fresh, from the start of its reading */
    unsigned fresh_times; /* or that many times as long as the reading took, from its end */
};

/* The source is copied, its object borrowed. NULL: out of memory. */
struct snapshot_cache *snapshot_cache_new(const struct snapshot_source *source);
void snapshot_cache_free(struct snapshot_cache *cache); /* accepts NULL */

/*
 * Gets a fresh snapshot, and reads it if necessary. STORE_BUSY: another thread is reading the first
 * one; call again a little later. Give *ret back with snapshot_cache_release().
 */
int snapshot_cache_get(struct snapshot_cache *cache, struct snapshot **ret,
                       struct error *err) MUST_USE;
void snapshot_cache_release(struct snapshot_cache *cache, struct snapshot *snapshot);

/* The last snapshot, to be released; NULL: nothing has been read yet. No I/O. */
struct snapshot *snapshot_cache_peek(struct snapshot_cache *cache);

/* Makes the next snapshot_cache_get() read again, also if a thread is reading now. No I/O. */
void snapshot_cache_expire(struct snapshot_cache *cache);

/* Frees the snapshot if nobody has asked for it for that long. */
void snapshot_cache_drop_unused(struct snapshot_cache *cache, int64_t idle_ms);
