#pragma once

#include <pthread.h>

#include "registry/core/events.h"
#include "registry/core/key.h"
#include "registry/core/store.h"
#include "registry/storage/storage.h"

/* What the files of the store share. */

/* Manifests read are of at most this size; registry:2 takes them up to 4 MiB. */
enum { MANIFEST_SIZE_LIMIT = 64 << 20 };

enum { STORE_LOCKS = 64 };

/* The driver's want(), which waits for the collection of garbage as long as the caller may. */
int store_want(struct store *store, const char *key, enum store_waiting waiting, struct driver_stat *ret,
               struct error *err) MUST_USE;

struct store {
    struct driver *driver;
    /*
     * By repository. Whoever puts manifests or tags shares the lock; whoever removes them has it
     * alone, for he looks first at what names what. Readers and blobs need none.
     */
    pthread_rwlock_t locks[STORE_LOCKS];
    pthread_mutex_t turns[STORE_LOCKS]; /* held while waiting for the lock of that number */
    struct upload_states *uploads;
    struct type_cache *types;
    struct checked_blobs *checked;
    unsigned blocks; /* that uploads have to gather in; atomic */
    event_listener *listener; /* NULL: none */
    void *listener_object;
    struct name_set *indexed; /* the repositories whose referrers are all in the index */
};

/* A store on any driver, of which it takes ownership, also when it fails. */
int store_new(struct driver *driver, struct store **ret, struct error *err) MUST_USE;

/* Held to the end of the block: CLEANUP_UNLOCK pthread_rwlock_t *lock = store_lock_...(store, name); */
#define CLEANUP_UNLOCK __attribute__((unused)) CLEANUP(store_unlock)
pthread_rwlock_t *store_lock_shared(struct store *store, const char *name) MUST_USE;
pthread_rwlock_t *store_lock_alone(struct store *store, const char *name) MUST_USE;
void store_unlock(pthread_rwlock_t **lock);

/* Appends a copy. 0 or -ENOMEM. */
int store_names_add(struct store_names *names, const char *name) MUST_USE;

/* A list that grows at each power of two; *items has room for one more after it. 0 or -ENOMEM. */
int store_grow(void **items, size_t count, size_t item_size) MUST_USE;

/* Whether a sorted list has that one. */
bool store_digests_has(const struct store_digests *digests, const struct digest *digest);

/* The digests in a folder of those of one algorithm, in order; no folder is no digest. */
int store_list_digests(struct store *store, const struct key *folder, enum digest_algorithm algorithm,
                       struct store_digests *ret, struct error *err) MUST_USE;

/* Calls each for the folders in root, which is KEY_BLOBS or KEY_ALIASES; ends where it answers less than 0. */
typedef int store_folder_function(void *object, const struct key *folder, struct error *err);
int store_for_each_folder(struct store *store, const char *root, store_folder_function *each, void *object,
                          struct error *err) MUST_USE;

/* All folders that hold anything of a repository, be it but an upload; as store_list_repositories(). */
int store_list_folders(struct store *store, struct store_names *ret, struct error *err) MUST_USE;

/* All tags of a repository, among them what crashes may have left without a digest; no folder is no tag. */
int store_list_tag_folders(struct store *store, const char *name, struct folder_names *ret,
                           struct error *err) MUST_USE;

/* --- manifests --------------------------------------------------------------------------- */

struct manifest;

/* The canonical digest of a manifest of the repository. STORE_NOT_FOUND where there is none. */
int store_find_revision(struct store *store, const char *name, const struct digest *digest, struct digest *ret,
                        struct error *err) MUST_USE;

/* Reads and parses a manifest; STORE_NOT_FOUND. *ret is the caller's, free with manifest_done(). */
int store_parse_manifest(struct store *store, const char *name, const struct digest *digest, struct manifest *ret,
                         struct error *err) MUST_USE;

/*
 * Under which other digests of the repository (sha512) those canonical ones go, too: pairs of
 * one in each list. A repository with none, which is nearly all, costs one look.
 */
int store_list_aliases(struct store *store, const char *name, struct store_digests *ret_aliases,
                       struct store_digests *ret_canonical, struct error *err) MUST_USE;

/* Deletes a manifest; who calls has the lock alone. canonical is that of digest. */
int store_remove_revision(struct store *store, const char *name, const struct digest *canonical,
                          struct error *err) MUST_USE;

/* --- referrers --------------------------------------------------------------------------- */

/* Brings the index of a repository up to what registry:2 may have put into it; who calls has the lock (either way). */
int store_index_referrers(struct store *store, const char *name, struct error *err) MUST_USE;

/* --- what is kept in memory ---------------------------------------------------------------- */

/* A set of names, which forgets all of them when it holds too many. From any thread. */
struct name_set;
struct name_set *name_set_new(void); /* NULL: out of memory */
void name_set_free(struct name_set *set);
bool name_set_has(struct name_set *set, const char *name);
/* Without memory nothing is added. */
void name_set_add(struct name_set *set, const char *name);
