#include "registry/core/space-cache.h"

#include <stdlib.h>

#include "registry/core/collect.h"
#include "registry/core/growth.h"
#include "registry/core/store-private.h"

enum { TIMES_AS_LONG = 20 };

struct space_cache {
    struct store *store;
    bool notes_growth;
    struct snapshot_cache *snapshots;
};

static struct space *space_of(struct snapshot *snapshot)
{
    return (struct space *)snapshot;
}

static void space_free(struct snapshot *snapshot)
{
    struct space *space = space_of(snapshot);

    store_names_done(&space->names);
    usage_ledger_done(&space->ledger);
    free(space);
}

/* --- measuring ------------------------------------------------------------------------------ */

static int go_on(void *store, struct error *err)
{
    return store_may_go_on(store, err);
}

/* It stays unknown if a manifest cannot be read: then nothing is collected either. */
static void measure_free(struct store *store, struct space *space)
{
    const struct collect_options options = {.is_dry_run = true, .pace = go_on, .object = store};
    struct collect_result result = {0};
    struct error ignored;

    if (space->ledger.count > SPACE_FREE_SHARES_MAX ||
        store_collect(store, &options, &result, &ignored) < 0)
        return;
    space->has_free = true;
    space->free = result.bytes;
}

static int measure_repositories(struct store *store, struct space *space, struct error *err)
{
    CLEANUP_FREE struct usage *usages = NULL;
    struct usage total;
    int r = store_list_repositories(store, NULL, SIZE_MAX, NULL, &space->names, err);

    if (r == 0)
        r = usage_ledger_read(&space->ledger, &space->names, err);
    if (r != 0)
        return r;
    usages = calloc(space->names.count + 1, sizeof(*usages));
    if (!usages)
        return error_set_oom(err);
    usage_ledger_sum(&space->ledger, NULL, usages, &total);
    space->total = total.bytes;
    return 0;
}

static int measure(void *object, struct snapshot **ret, struct error *err)
{
    const struct space_cache *cache = object;
    struct space *space = calloc(1, sizeof(*space));
    int r;

    if (!space)
        return error_set_oom(err);
    space->ledger = (struct usage_ledger){.store = cache->store, .most = SPACE_SHARES_MAX};
    space->as_of_s = storage_now(cache->store->storage);
    r = measure_repositories(cache->store, space, err);
    if (r < 0) {
        space_free(&space->snapshot);
        return r;
    }
    measure_free(cache->store, space);
    if (cache->notes_growth && space->names.count > 0)
        growth_note(cache->store, &(struct growth_point){space->as_of_s, space->total});
    *ret = &space->snapshot;
    return 0;
}

/* --- the cache ------------------------------------------------------------------------------ */

struct space_cache *space_cache_new(struct store *store, bool notes_growth)
{
    struct space_cache *cache = calloc(1, sizeof(*cache));
    const struct snapshot_source source = {.read = measure,
                                           .free = space_free,
                                           .object = cache,
                                           .fresh_ms = SPACE_FRESH_MS,
                                           .fresh_times = TIMES_AS_LONG};

    if (!cache)
        return NULL;
    *cache = (struct space_cache){store, notes_growth, snapshot_cache_new(&source)};
    if (cache->snapshots)
        return cache;
    free(cache);
    return NULL;
}

void space_cache_free(struct space_cache *cache)
{
    if (!cache)
        return;
    snapshot_cache_free(cache->snapshots);
    free(cache);
}

void space_cache_drop_unused(struct space_cache *cache, int64_t idle_ms)
{
    snapshot_cache_drop_unused(cache->snapshots, idle_ms);
}

int space_cache_get(struct space_cache *cache, const struct space **ret, struct error *err)
{
    struct snapshot *snapshot;
    int r = snapshot_cache_get(cache->snapshots, &snapshot, err);

    if (r == 0)
        *ret = space_of(snapshot);
    return r;
}

void space_cache_release(struct space_cache *cache, const struct space *space)
{
    snapshot_cache_release(cache->snapshots, (struct snapshot *)&space->snapshot);
}
