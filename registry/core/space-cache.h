#pragma once

#include "registry/core/usage-ledger.h"

/*
 * A measurement of all repositories in memory, for people who look at what takes space, and the
 * record of how the registry grew. One thread measures at a time; others get the measurement before.
 */
struct space_cache;

enum {
    SPACE_SHARES_MAX = 1000000, /* blobs, counted for each repository: 48 MB */
    SPACE_FREE_SHARES_MAX = 50000,
    SPACE_FRESH_MS = 30 * 1000, /* or twenty times as long as the measurement took */
    SPACE_HISTORY_MAX = 1000,   /* points in the record */
    SPACE_HISTORY_S = 60 * 60,  /* between two points */
};

/* Constant. */
struct space {
    struct store_names names; /* of the repositories, as in store_list_repositories() */
    struct usage_ledger ledger; /* its owners are the names */
    uint64_t total;     /* bytes of all repositories */
    int64_t as_of_s;    /* seconds since 1970 */
    /*
     * The bytes of blobs that no manifest names, which a collection removes when their grace period
     * is over. Known if there are at most SPACE_FREE_SHARES_MAX, because all manifests are read.
     */
    bool has_free;
    uint64_t free;
    unsigned references; /* used by the cache */
};

/* The store is borrowed. keeps_history: the record may be written. NULL: out of memory. */
struct space_cache *space_cache_new(struct store *store, bool keeps_history);
void space_cache_free(struct space_cache *cache); /* accepts NULL */

/* Frees the measurement if nobody has asked for it for that long. */
void space_cache_drop_unused(struct space_cache *cache, int64_t idle_ms);

/*
 * Gets a measurement, and measures if the last one is too old, which takes long. STORE_BUSY: the
 * first one is being made; call again a little later. -E2BIG: there are more than SPACE_SHARES_MAX.
 * Give *ret back with space_cache_release().
 */
int space_cache_get(struct space_cache *cache, const struct space **ret,
                    struct error *err) MUST_USE;
void space_cache_release(struct space_cache *cache, const struct space *space);

/* --- growth --------------------------------------------------------------------------------- */

struct space_point {
    int64_t time_s; /* since 1970 */
    uint64_t bytes;
};

struct space_history {
    struct space_point items[SPACE_HISTORY_MAX]; /* by time */
    size_t count;
};

/* A missing or damaged record is an empty history. 0 or negative. */
int space_history_read(struct store *store, struct space_history *ret, struct error *err) MUST_USE;

/*
 * Adds a point if the last one is SPACE_HISTORY_S old. A full history loses every second point of
 * its older half. Returns whether it changed.
 */
bool space_history_add(struct space_history *history, const struct space_point *point);
