#pragma once

#include "registry/core/snapshot-cache.h"
#include "registry/core/usage-ledger.h"

/*
 * A measurement of all repositories in memory, for people who look at what takes space. One thread
 * measures at a time; others get the measurement before.
 */
struct space_cache;

enum {
    SPACE_SHARES_MAX = 1000000, /* blobs, counted for each repository: 48 MB */
    SPACE_FREE_SHARES_MAX = 50000,
    SPACE_FRESH_MS = 30 * 1000, /* or twenty times as long as the measurement took */
};

/* Constant. */
struct space {
    struct snapshot snapshot;
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
};

/* The store is borrowed. notes_growth: see growth_note(). NULL: out of memory. */
struct space_cache *space_cache_new(struct store *store, bool notes_growth);
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
