#pragma once

#include <pthread.h>

#include "registry/core/events.h"
#include "registry/core/key.h"
#include "registry/core/quota.h"
#include "registry/core/store.h"
#include "registry/storage/storage.h"

/* Shared by the files of the store. */

/* The largest manifest that is read; registry:2 accepts pushes up to 4 MiB. */
enum { MANIFEST_SIZE_LIMIT = 64 << 20 };

struct store {
    struct storage *storage;
    struct upload_hashes *uploads;
    struct type_cache *types;
    struct checked_blobs *checked;
    unsigned blocks; /* how many blocks uploads have allocated; atomic */
    quota_finder *find_quotas; /* NULL: no quotas */
    void *quotas_object;
    event_listener *listener; /* NULL: none */
    void *listener_object;
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

/*
 * Claims a repository: shared to put manifests or tags, exclusive to remove them, because a delete
 * first reads which tags and manifests refer to which. Reads and blobs need no claim. *ret is owned
 * by the caller, free with storage_claim_release().
 */
int store_claim(struct store *store, const char *name, enum storage_claim_mode mode,
                struct storage_claim **ret, struct error *err) MUST_USE;
#define CLEANUP_CLAIM CLEANUP(store_claim_releasep)
void store_claim_releasep(struct storage_claim **claim);

/* Write or remove under a claim; they fail with ESTALE if the claim was lost. */
int store_write_claimed(struct store *store, struct storage_claim *claim,
                        const struct storage_step *steps, size_t count, struct error *err) MUST_USE;
int store_remove_claimed(struct store *store, struct storage_claim *claim, const char *const *keys,
                         size_t count, struct error *err) MUST_USE;

/* Opens the bytes of a blob, whichever repository has it. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_open_bytes(struct store *store, const struct digest *canonical,
                     enum store_waiting waiting, struct store_blob *ret_blob,
                     struct store_reader **ret, struct error *err) MUST_USE;

/*
 * Checks the existing bytes of a digest, which should have that size. Returns 0 with *ret if they
 * match; STORE_NOT_FOUND; STORE_DIGEST_MISMATCH, also with *ret, if they are damaged. May read all
 * bytes.
 */
int store_check_existing(struct store *store, const struct digest *canonical, uint64_t size,
                         struct store_blob *ret, struct error *err) MUST_USE;

/* Appends a copy. 0 or -ENOMEM. */
int store_names_add(struct store_names *names, const char *name) MUST_USE;

/* Counts an entry that is omitted because of err. */
void store_names_skip(struct store_names *names, const struct error *err);

/* Grows a list at each power of two, so that *items has room for one more. 0 or -ENOMEM. */
int store_grow(void **items, size_t count, size_t item_size) MUST_USE;

/* Whether a sorted list contains the digest. */
bool store_digests_has(const struct store_digests *digests, const struct digest *digest);

/* Lists the digests of one algorithm below a prefix, sorted; an empty prefix has none. */
int store_list_digests(struct store *store, const struct key *prefix,
                       enum digest_algorithm algorithm, struct store_digests *ret,
                       struct error *err) MUST_USE;

/*
 * Calls a function for each prefix below root (KEY_BLOBS or KEY_ALIASES), until it returns
 * negative.
 */
typedef int store_prefix_function(void *object, const struct key *prefix, struct error *err);
int store_for_each_prefix(struct store *store, const char *root, store_prefix_function *each,
                          void *object, struct error *err) MUST_USE;

/*
 * Lists all repositories; STORE_WITH_UPLOADS includes those that contain only an upload. Fails if
 * one cannot be read, because callers that remove data need the complete list.
 */
enum store_repositories { STORE_WITH_CONTENT, STORE_WITH_UPLOADS };
int store_list_all(struct store *store, enum store_repositories kind, struct store_names *ret,
                   struct error *err) MUST_USE;

/* Lists all tags of a repository, including those that a crash left without a digest. */
int store_list_tag_entries(struct store *store, const char *name, struct storage_list *ret,
                           struct error *err) MUST_USE;

/* --- manifests --------------------------------------------------------------------------- */

struct manifest;

/* Finds the canonical digest of a manifest of the repository. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_find_revision(struct store *store, const char *name, const struct digest *digest,
                        enum store_waiting waiting, struct digest *ret, struct error *err) MUST_USE;

/* Reads and parses a manifest; STORE_NOT_FOUND. *ret is the caller's, free with manifest_done(). */
int store_parse_manifest(struct store *store, const char *name, const struct digest *digest,
                         struct manifest *ret, struct error *err) MUST_USE;

/*
 * Lists the sha512 digests of a repository with their canonical sha256 digests: entries with the
 * same index are a pair. For a repository without sha512 digests, which is usual, this costs one
 * read.
 */
int store_list_aliases(struct store *store, const char *name, struct store_digests *ret_aliases,
                       struct store_digests *ret_canonical, struct error *err) MUST_USE;

/* --- referrers --------------------------------------------------------------------------- */

/*
 * Adds the referrers that were pushed to registry:2 to the index of a repository. Returns 0 when
 * the index is complete, or STORE_WOULD_WAIT after a part of the work, which the next call
 * continues.
 */
int store_search_referrers(struct store *store, const char *name, struct error *err) MUST_USE;
