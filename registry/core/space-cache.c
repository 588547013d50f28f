#include "registry/core/space-cache.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/collect.h"
#include "registry/core/records.h"
#include "registry/core/store-private.h"

#define HISTORY "page/space"

enum { POINT_SIZE = 48, TIMES_AS_LONG = 20 };

struct space_cache {
    struct store *store;
    bool keeps_history;
    pthread_mutex_t lock; /* protects everything below */
    struct space *space; /* NULL: not measured yet */
    int64_t fresh_until_ms, used_ms;
    bool is_busy; /* a thread is measuring */
};

struct space_cache *space_cache_new(struct store *store, bool keeps_history)
{
    struct space_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->store = store;
    cache->keeps_history = keeps_history;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void space_free(struct space *space)
{
    if (!space)
        return;
    store_names_done(&space->names);
    usage_ledger_done(&space->ledger);
    free(space);
}

/* Under the lock. */
static void space_unref(struct space *space)
{
    if (space && --space->references == 0)
        space_free(space);
}

void space_cache_free(struct space_cache *cache)
{
    if (!cache)
        return;
    space_unref(cache->space);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void space_cache_drop_unused(struct space_cache *cache, int64_t idle_ms)
{
    pthread_mutex_lock(&cache->lock);
    if (monotonic_ms() - cache->used_ms > idle_ms) {
        space_unref(cache->space);
        cache->space = NULL;
    }
    pthread_mutex_unlock(&cache->lock);
}

/* --- growth --------------------------------------------------------------------------------- */

int space_history_read(struct store *store, struct space_history *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    int r = store_read_record(store, HISTORY, &text, err);

    ret->count = 0;
    for (char *line = text; r == 0 && line && *line && ret->count < SPACE_HISTORY_MAX;) {
        struct space_point point;
        int length = 0;

        if (sscanf(line, "%" SCNd64 " %" SCNu64 "\n%n", &point.time_s, &point.bytes, &length) != 2 ||
            length == 0)
            break;
        line += length;
        if (ret->count == 0 || point.time_s > ret->items[ret->count - 1].time_s)
            ret->items[ret->count++] = point;
    }
    return r < 0 ? r : 0;
}

/* Keeps the first, the third and so on of the older half. */
static void thin_out(struct space_history *history)
{
    size_t half = history->count / 2, kept = 0;

    for (size_t i = 0; i < history->count; i++)
        if (i >= half || i % 2 == 0)
            history->items[kept++] = history->items[i];
    history->count = kept;
}

bool space_history_add(struct space_history *history, const struct space_point *point)
{
    if (history->count > 0 &&
        point->time_s < history->items[history->count - 1].time_s + SPACE_HISTORY_S)
        return false;
    if (history->count == SPACE_HISTORY_MAX)
        thin_out(history);
    history->items[history->count++] = *point;
    return true;
}

static int write_history(struct store *store, const struct space_history *history,
                         struct error *err)
{
    CLEANUP_FREE char *text = malloc(history->count * POINT_SIZE + 1);
    size_t size = 0;

    if (!text)
        return error_set_oom(err);
    for (size_t i = 0; i < history->count; i++)
        size += (size_t)snprintf(text + size, POINT_SIZE, "%" PRId64 " %" PRIu64 "\n",
                                 history->items[i].time_s, history->items[i].bytes);
    return store_note_record(store, HISTORY, text, err);
}

/* Best effort: it is only shown to people. */
static void note_growth(struct space_cache *cache, const struct space *space)
{
    CLEANUP_FREE struct space_history *history = malloc(sizeof(*history));
    struct error ignored;
    int r = history ? space_history_read(cache->store, history, &ignored) : -1;

    if (r == 0 && space_history_add(history, &(struct space_point){space->as_of_s, space->total}))
        r = write_history(cache->store, history, &ignored);
    (void)r;
}

/* --- measuring ------------------------------------------------------------------------------ */

static int go_on(void *store, struct error *err)
{
    return store_may_go_on(store, err);
}

/* It stays unknown if a manifest cannot be read: then nothing is collected either. */
static void measure_free(struct space_cache *cache, struct space *space)
{
    const struct collect_options options = {
        .is_dry_run = true, .pace = go_on, .object = cache->store};
    struct collect_result result = {0};
    struct error ignored;

    if (space->ledger.count > SPACE_FREE_SHARES_MAX ||
        store_collect(cache->store, &options, &result, &ignored) < 0)
        return;
    space->has_free = true;
    space->free = result.bytes;
}

static int measure(struct space_cache *cache, struct space **ret, struct error *err)
{
    struct space *space = calloc(1, sizeof(*space));
    CLEANUP_FREE struct usage *usages = NULL;
    struct usage total = {0};
    int r;

    if (!space)
        return error_set_oom(err);
    space->ledger = (struct usage_ledger){.store = cache->store, .most = SPACE_SHARES_MAX};
    space->as_of_s = storage_now(cache->store->storage);
    r = store_list_repositories(cache->store, NULL, SIZE_MAX, NULL, &space->names, err);
    if (r == 0)
        r = usage_ledger_read(&space->ledger, &space->names, err);
    if (r == 0)
        usages = calloc(space->names.count + 1, sizeof(*usages));
    if (r == 0 && !usages)
        r = error_set_oom(err);
    if (r < 0) {
        space_free(space);
        return r;
    }
    usage_ledger_sum(&space->ledger, NULL, usages, &total);
    space->total = total.bytes;
    measure_free(cache, space);
    if (cache->keeps_history)
        note_growth(cache, space);
    *ret = space;
    return 0;
}

/* Under the lock. A new reference, or NULL. */
static struct space *take_known(struct space_cache *cache)
{
    if (cache->space)
        cache->space->references++;
    return cache->space;
}

static int64_t fresh_for_ms(int64_t took_ms)
{
    return took_ms * TIMES_AS_LONG > SPACE_FRESH_MS ? took_ms * TIMES_AS_LONG : SPACE_FRESH_MS;
}

int space_cache_get(struct space_cache *cache, const struct space **ret, struct error *err)
{
    int64_t began_ms = monotonic_ms();
    struct space *space = NULL;
    bool is_mine;
    int r;

    pthread_mutex_lock(&cache->lock);
    cache->used_ms = began_ms;
    is_mine = !cache->is_busy && !(cache->space && began_ms < cache->fresh_until_ms);
    if (is_mine)
        cache->is_busy = true;
    else
        space = take_known(cache);
    pthread_mutex_unlock(&cache->lock);
    if (space)
        *ret = space;
    if (!is_mine)
        return space ? 0 : STORE_BUSY;
    r = measure(cache, &space, err);
    pthread_mutex_lock(&cache->lock);
    cache->is_busy = false;
    if (r == 0) {
        space_unref(cache->space);
        cache->space = space;
        space->references = 1;
        cache->fresh_until_ms = monotonic_ms() + fresh_for_ms(monotonic_ms() - began_ms);
        *ret = take_known(cache);
    }
    pthread_mutex_unlock(&cache->lock);
    return r;
}

void space_cache_release(struct space_cache *cache, const struct space *space)
{
    pthread_mutex_lock(&cache->lock);
    space_unref((struct space *)space);
    pthread_mutex_unlock(&cache->lock);
}
