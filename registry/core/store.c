/*
 * Opens the store, and claims repositories. A claim prevents changes between reading a repository
 * and a change that depends on what was read.
 */
#include "registry/core/store.h"

#include <errno.h>

#include "registry/core/checked-blobs.h"
#include "registry/core/claims.h"
#include "registry/core/manifest-cache.h"
#include "registry/core/media-type.h"
#include "registry/core/search-progress.h"
#include "registry/core/store-private.h"
#include "registry/core/tag-names.h"
#include "registry/core/upload-hashes.h"

/*
 * How long a request waits for others that have claimed the same repository: longer than the claim of
 * a server that was killed while no request used it.
 */
enum { CLAIM_PATIENCE_MS = 25000 };

/* Threads that list directories ahead, beside those of the requests. */
enum { LISTS_AHEAD = 16 };

int store_open(struct storage *storage, struct store **ret, struct error *err)
{
    CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));

    if (!store) {
        storage_close(storage);
        return error_set_oom(err);
    }
    store->storage = storage;
    store->lists.spare = LISTS_AHEAD;
    store->uploads = upload_hashes_new();
    store->types = type_cache_new();
    store->searches = search_progress_new();
    store->checked = checked_blobs_new();
    store->tag_names = tag_names_new();
    if (!store->checked || !store->uploads || !store->types || !store->searches ||
        !store->tag_names)
        return error_set_oom(err);
    if (storage_is_remote(storage) && !(store->manifests = manifest_cache_new()))
        return error_set_oom(err);
    *ret = steal_ptr(&store);
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    upload_hashes_free(store->uploads);
    type_cache_free(store->types);
    search_progress_free(store->searches);
    checked_blobs_free(store->checked);
    tag_names_free(store->tag_names);
    manifest_cache_free(store->manifests);
    storage_close(store->storage);
    free(store);
}

void store_closep(struct store **store)
{
    store_close(*store);
}

int store_check(struct store *store, struct error *err)
{
    return storage_check(store->storage, err);
}

void store_cancel(struct store *store)
{
    __atomic_store_n(&store->is_cancelled, true, __ATOMIC_RELAXED);
    storage_stop_waiting(store->storage);
}

int store_may_go_on(const struct store *store, struct error *err)
{
    if (!__atomic_load_n(&store->is_cancelled, __ATOMIC_RELAXED))
        return 0;
    return error_set(err, ECANCELED, "the server is stopping");
}

bool store_is_remote(const struct store *store)
{
    return storage_is_remote(store->storage);
}

void store_count_requests(struct store *store, struct storage_request_counters *ret)
{
    storage_count_requests(store->storage, ret);
}

void store_count_copies(struct store *store, struct storage_copy_counters *ret)
{
    storage_count_copies(store->storage, ret);
}

void store_count_cache(struct store *store, uint64_t *ret_hits, uint64_t *ret_misses)
{
    struct storage_cache_counters counters;

    storage_count_cache(store->storage, &counters);
    *ret_hits = counters.hits;
    *ret_misses = counters.misses;
}

/* --- outcomes of the storage ----------------------------------------------------------------- */

bool store_is_general_failure(int r)
{
    static const int failures[] = {ENOMEM, EMFILE, ENFILE, ECANCELED, ESHUTDOWN, EHOSTDOWN};

    for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
        if (r == -failures[i])
            return true;
    return false;
}

struct storage *store_get_storage(const struct store *store)
{
    return store->storage;
}

int store_outcome(int r)
{
    if (r <= 0)
        return r;
    return r == STORAGE_WOULD_WAIT ? STORE_WOULD_WAIT : STORE_NOT_FOUND;
}

enum storage_waiting store_may_wait(enum store_waiting waiting)
{
    return waiting == STORE_MUST_NOT_WAIT ? STORAGE_MUST_NOT_WAIT : STORAGE_MAY_WAIT;
}

/* --- claims ---------------------------------------------------------------------------------- */

int store_claim(struct store *store, const char *name, enum storage_claim_mode mode,
                struct storage_claim **ret, struct error *err)
{
    struct key prefix = key_in_repository(name, "");
    int r = storage_claim(store->storage, prefix.text, mode, CLAIM_PATIENCE_MS, ret, err);

    return r <= 0
               ? r
               : error_set(err, EAGAIN,
                           "other requests are changing the repository %s; try again later", name);
}

void store_claim_releasep(struct storage_claim **claim)
{
    storage_claim_release(*claim);
}

static int check_claim(struct storage_claim *claim, struct error *err)
{
    int r = storage_claim_check(claim, err);

    return r <= 0 ? r
                  : error_set(err, ESTALE,
                              "this server has lost its claim on the repository; try again");
}

int store_write_claimed(struct store *store, struct storage_claim *claim,
                        const struct storage_step *steps, size_t count, struct error *err)
{
    int r = check_claim(claim, err);

    if (r == 0)
        r = storage_write(store->storage, steps, count, err);
    return r == 0 ? check_claim(claim, err) : r;
}

int store_remove_claimed(struct store *store, struct storage_claim *claim, const char *const *keys,
                         size_t count, struct error *err)
{
    int r = check_claim(claim, err);

    if (r == 0)
        r = storage_remove(store->storage, keys, count, err);
    return r == 0 ? check_claim(claim, err) : r;
}
