#include "registry/core/snapshot-cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/monotonic.h"
#include "registry/core/store.h"

struct snapshot_cache {
    struct snapshot_source source;
    pthread_mutex_t lock; /* protects everything below */
    struct snapshot *snapshot; /* NULL: not read yet */
    int64_t fresh_until_ms, used_ms;
    bool is_expired;
    bool is_busy; /* a thread is reading */
};

struct snapshot_cache *snapshot_cache_new(const struct snapshot_source *source)
{
    struct snapshot_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->source = *source;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

/* --- references: under the lock ------------------------------------------------------------- */

static struct snapshot *take_known(struct snapshot_cache *cache)
{
    if (cache->snapshot)
        cache->snapshot->references++;
    return cache->snapshot;
}

static void unref(struct snapshot_cache *cache, struct snapshot *snapshot)
{
    if (snapshot && --snapshot->references == 0)
        cache->source.free(snapshot);
}

/* Takes ownership. */
static void replace_snapshot(struct snapshot_cache *cache, struct snapshot *snapshot)
{
    unref(cache, cache->snapshot);
    cache->snapshot = snapshot;
    if (snapshot)
        snapshot->references = 1;
}

void snapshot_cache_free(struct snapshot_cache *cache)
{
    if (!cache)
        return;
    replace_snapshot(cache, NULL);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void snapshot_cache_release(struct snapshot_cache *cache, struct snapshot *snapshot)
{
    pthread_mutex_lock(&cache->lock);
    unref(cache, snapshot);
    pthread_mutex_unlock(&cache->lock);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Until when what was read since began_ms, and just now, is fresh. */
static int64_t fresh_until(const struct snapshot_source *source, int64_t began_ms)
{
    int64_t now_ms = monotonic_ms(), least_ms = began_ms + source->fresh_ms,
            long_ms = now_ms + (now_ms - began_ms) * source->fresh_times;

    return long_ms > least_ms ? long_ms : least_ms;
}

static int read_snapshot(struct snapshot_cache *cache, int64_t began_ms, struct snapshot **ret,
                         struct error *err)
{
    struct snapshot *snapshot = NULL;
    int r = cache->source.read(cache->source.object, &snapshot, err);

    pthread_mutex_lock(&cache->lock);
    cache->is_busy = false;
    if (r == 0) {
        replace_snapshot(cache, snapshot);
        cache->fresh_until_ms = fresh_until(&cache->source, began_ms);
        *ret = take_known(cache);
    }
    pthread_mutex_unlock(&cache->lock);
    return r;
}

int snapshot_cache_get(struct snapshot_cache *cache, struct snapshot **ret, struct error *err)
{
    int64_t began_ms = monotonic_ms();
    struct snapshot *known = NULL;
    bool is_mine;

    pthread_mutex_lock(&cache->lock);
    cache->used_ms = began_ms;
    is_mine = !cache->is_busy && (!cache->snapshot || cache->is_expired ||
                                  began_ms >= cache->fresh_until_ms);
    if (is_mine) {
        cache->is_busy = true;
        cache->is_expired = false;
    } else {
        known = take_known(cache);
    }
    pthread_mutex_unlock(&cache->lock);
    if (is_mine)
        return read_snapshot(cache, began_ms, ret, err);
    if (!known)
        return STORE_BUSY;
    *ret = known;
    return 0;
}

struct snapshot *snapshot_cache_peek(struct snapshot_cache *cache)
{
    struct snapshot *known;

    pthread_mutex_lock(&cache->lock);
    known = take_known(cache);
    pthread_mutex_unlock(&cache->lock);
    return known;
}

void snapshot_cache_expire(struct snapshot_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->is_expired = true;
    pthread_mutex_unlock(&cache->lock);
}

void snapshot_cache_drop_unused(struct snapshot_cache *cache, int64_t idle_ms)
{
    pthread_mutex_lock(&cache->lock);
    if (monotonic_ms() - cache->used_ms > idle_ms)
        replace_snapshot(cache, NULL);
    pthread_mutex_unlock(&cache->lock);
}
