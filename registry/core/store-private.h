#pragma once

#include <pthread.h>

#include "registry/core/events.h"
#include "registry/core/key.h"
#include "registry/core/parallel.h"
#include "registry/core/quota.h"
#include "registry/core/store.h"
#include "registry/storage/storage.h"

/* The store itself, for the files of core. */

struct store {
    struct storage *storage;
    struct upload_hashes *uploads;
    struct type_cache *types;
    struct checked_blobs *checked;
    struct tag_names *tag_names;
    struct manifest_cache *manifests; /* NULL unless the storage is remote */
    unsigned blocks; /* how many blocks uploads have allocated; atomic */
    quota_finder *find_quotas; /* NULL: no quotas */
    void *quotas_object;
    event_listener *listener; /* NULL: none */
    void *listener_object;
    struct parallel lists; /* of directories that are listed ahead, for all requests together */
    struct search_progress *searches; /* of referrers that are not in the index */
    bool is_cancelled;                /* atomic: see store_cancel() */
};

/* Called for each of many entries: 0, or -ECANCELED after store_cancel(). */
int store_may_go_on(const struct store *store, struct error *err) MUST_USE;

/*
 * Converts an outcome of the storage to the store's: STORE_NOT_FOUND, STORE_WOULD_WAIT. 0 and
 * failures are unchanged.
 */
int store_outcome(int r);

/* Converts the caller's permission to wait to the storage's. */
enum storage_waiting store_may_wait(enum store_waiting waiting);

/*
 * Like storage_refresh(), but waits for garbage collection as long as the caller may.
 * STORE_NOT_FOUND, STORE_WOULD_WAIT.
 */
int store_refresh(struct store *store, const char *key, enum store_waiting waiting,
                  struct storage_object *ret, struct error *err) MUST_USE;
