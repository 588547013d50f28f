#pragma once

#include <pthread.h>

#include "registry/core/events.h"
#include "registry/core/key.h"
#include "registry/core/quota.h"
#include "registry/core/store.h"
#include "registry/storage/storage.h"

/* What the files of the store share. */

/* Manifests read are of at most this size; registry:2 takes them up to 4 MiB. */
enum { MANIFEST_SIZE_LIMIT = 64 << 20 };

struct store {
    struct storage *storage;
    struct upload_hashes *uploads;
    struct type_cache *types;
    struct checked_blobs *checked;
    unsigned blocks; /* that uploads have to gather in; atomic */
    quota_finder *find_quotas; /* NULL: no quotas */
    void *quotas_object;
    event_listener *listener; /* NULL: none */
    void *listener_object;
    struct search_progress *searches; /* for referrers that are not in the index */
    bool is_cancelled;                /* atomic: see store_cancel() */
};

/* Called for each of many entries: 0, or -ECANCELED after store_cancel(). */
int store_may_go_on(const struct store *store, struct error *err) MUST_USE;

/* The outcome of the storage in the store's words: STORE_NOT_FOUND, STORE_WOULD_WAIT; 0 and failures stay. */
int store_outcome(int r);

/* Whether the storage may wait while it reads. */
enum storage_waiting store_may_wait(enum store_waiting waiting);

/* storage_refresh() that waits for garbage collection as long as the caller may; STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_refresh(struct store *store, const char *key, enum store_waiting waiting, struct storage_object *ret,
                  struct error *err) MUST_USE;

/*
 * Claims a repository. Whoever puts manifests or tags shares it; whoever removes them claims it alone, because a delete
 * first looks at what names what. Readers and blobs need no claim. *ret is the caller's, free with storage_claim_release().
 */
int store_claim(struct store *store, const char *name, enum storage_claim_mode mode, struct storage_claim **ret,
                struct error *err) MUST_USE;
#define CLEANUP_CLAIM CLEANUP(store_claim_releasep)
void store_claim_releasep(struct storage_claim **claim);

/* The write and the removal that a claim is for: they fail with ESTALE if it was lost. */
int store_write_claimed(struct store *store, struct storage_claim *claim, const struct storage_step *steps,
                        size_t count, struct error *err) MUST_USE;
int store_remove_claimed(struct store *store, struct storage_claim *claim, const char *const *keys, size_t count,
                         struct error *err) MUST_USE;

/* Opens the bytes of a blob, whoever has them. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_open_bytes(struct store *store, const struct digest *canonical, enum store_waiting waiting,
                     struct store_blob *ret_blob, struct store_reader **ret, struct error *err) MUST_USE;

/*
 * Looks at the bytes that are already there for a digest, of which there should be so many: 0 if they are right;
 * STORE_NOT_FOUND; STORE_DIGEST_MISMATCH, also with *ret, if they are damaged. May read all of them.
 */
int store_check_existing(struct store *store, const struct digest *canonical, uint64_t size, struct store_blob *ret,
                         struct error *err) MUST_USE;

/* Appends a copy. 0 or -ENOMEM. */
int store_names_add(struct store_names *names, const char *name) MUST_USE;

/* Counts an entry that is left out because of err. */
void store_names_skip(struct store_names *names, const struct error *err);

/* A list that grows at each power of two; *items has room for one more after it. 0 or -ENOMEM. */
int store_grow(void **items, size_t count, size_t item_size) MUST_USE;

/* Whether a sorted list has that one. */
bool store_digests_has(const struct store_digests *digests, const struct digest *digest);

/* The digests below a prefix of those of one algorithm, in order; nothing below it is no digest. */
int store_list_digests(struct store *store, const struct key *prefix, enum digest_algorithm algorithm,
                       struct store_digests *ret, struct error *err) MUST_USE;

/* Calls each for the prefixes below root, which is KEY_BLOBS or KEY_ALIASES; ends when it answers less than 0. */
typedef int store_prefix_function(void *object, const struct key *prefix, struct error *err);
int store_for_each_prefix(struct store *store, const char *root, store_prefix_function *each, void *object,
                          struct error *err) MUST_USE;

/*
 * All repositories, and with uploads also those that hold nothing but an upload. Fails if one cannot be read, as those
 * who remove things must.
 */
enum store_repositories { STORE_WITH_CONTENT, STORE_WITH_UPLOADS };
int store_list_all(struct store *store, enum store_repositories kind, struct store_names *ret,
                   struct error *err) MUST_USE;

/* All tags of a repository, among them those that crashes may have left without a digest. */
int store_list_tag_entries(struct store *store, const char *name, struct storage_list *ret,
                           struct error *err) MUST_USE;

/* --- manifests --------------------------------------------------------------------------- */

struct manifest;

/* The canonical digest of a manifest of the repository. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_find_revision(struct store *store, const char *name, const struct digest *digest,
                        enum store_waiting waiting, struct digest *ret, struct error *err) MUST_USE;

/* Reads and parses a manifest; STORE_NOT_FOUND. *ret is the caller's, free with manifest_done(). */
int store_parse_manifest(struct store *store, const char *name, const struct digest *digest, struct manifest *ret,
                         struct error *err) MUST_USE;

/*
 * Under which other digests of the repository (sha512) those canonical ones go, too: pairs of
 * one in each list. A repository with none, which is nearly all, costs one look.
 */
int store_list_aliases(struct store *store, const char *name, struct store_digests *ret_aliases,
                       struct store_digests *ret_canonical, struct error *err) MUST_USE;

/* --- referrers --------------------------------------------------------------------------- */

/*
 * Adds the referrers that registry:2 was pushed to the index of a repository. 0 when the index is complete;
 * STORE_WOULD_WAIT after a part of the work, which the next call continues.
 */
int store_search_referrers(struct store *store, const char *name, struct error *err) MUST_USE;
