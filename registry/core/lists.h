#pragma once

#include "registry/core/key.h"
#include "registry/core/store.h"
#include "registry/storage/storage.h"

/* Lists of names and digests, and what they are filled from. */

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
