#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/digest.h"
#include "common/error.h"
#include "registry/storage/storage.h"

/*
 * What the registry keeps: blobs, manifests, tags and what is being uploaded, in registry:2's
 * layout (docker/registry/v2 below the root folder), so that either program can go on where the
 * other stopped.
 *
 * Names and tags passed in are valid ones (registry/spec/name.h). An actor is the user whose request it is, or NULL; only
 * events tell of it (registry/core/events.h). Unless it says otherwise, a
 * function may be called from any thread, and returns 0, negative with err filled, or one of:
 */
enum { STORE_NOT_FOUND = 1, STORE_BUSY = 2, STORE_DIGEST_MISMATCH = 3, STORE_WOULD_WAIT = 4 };

/* What the caller's thread may do. */
enum store_waiting {
    STORE_MUST_NOT_WAIT, /* nothing that takes long: event threads; the answer may be STORE_WOULD_WAIT */
    STORE_MAY_READ,      /* read and parse manifests of any size, but not wait for the collection of garbage */
    STORE_MAY_WAIT,      /* anything */
};

struct store;

/* A store on a storage, of which it takes ownership, also when it fails. */
int store_open(struct storage *storage, struct store **ret, struct error *err) MUST_USE;

/* Takes NULL. Nobody may use the store, its readers or its uploads any more. */
void store_close(struct store *store);
void store_closep(struct store **store);

/* Whether the storage can be reached: 0 or negative. */
int store_check(struct store *store, struct error *err) MUST_USE;

/* --- lists ----------------------------------------------------------------------------- */

struct store_names {
    char **items;
    size_t count;
    bool has_more;     /* than the page asked for */
    size_t unreadable; /* how many were left out because they cannot be read */
};
void store_names_done(struct store_names *names);

struct store_digests {
    struct digest *items;
    size_t count;
};
/* 0 or -ENOMEM. */
int store_digests_add(struct store_digests *digests, const struct digest *digest) MUST_USE;
/* By their text, without doubles. */
void store_digests_sort(struct store_digests *digests);
void store_digests_done(struct store_digests *digests);

/* --- blobs ----------------------------------------------------------------------------- */

/* Where a blob's bytes lie: under sha256, whatever it was asked for by, as in registry:2. */
struct store_blob {
    struct digest canonical;
    uint64_t size;     /* in bytes */
    uint64_t identity; /* changes when the bytes are replaced */
    struct storage_version version;
};

/* STORE_NOT_FOUND unless the repository has it and its bytes are there; STORE_WOULD_WAIT. */
int store_find_blob(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                    struct store_blob *ret, struct error *err) MUST_USE;

/* What is wanted is spared for that long, whatever the collection was told. */
enum { STORE_WANTED_FOR_S = 5 };

/*
 * Like store_find_blob(), but also protects the blob from garbage collection, for a caller that relies on finding it
 * later, such as a client that will not upload it. Fails with EACCES or EPERM where the file is another user's, and
 * with EAGAIN where the collection does not let go of its lock for two seconds, because it hangs.
 */
int store_want_blob(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                    struct store_blob *ret, struct error *err) MUST_USE;

/* A blob being read; stays whole even if the blob is deleted meanwhile. */
struct store_reader;

/* Finds it as store_find_blob(), and opens it. *ret is the caller's, free with store_reader_close(). */
int store_open_blob(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                    struct store_blob *ret_blob, struct store_reader **ret, struct error *err) MUST_USE;
/* Up to size bytes at offset; 0 at the end, or -errno. From several threads at once. */
ssize_t store_reader_read(struct store_reader *reader, uint64_t offset, void *ret_data, size_t size);
/* A file with the same bytes, borrowed; -1 where the store keeps none. */
int store_reader_get_fd(struct store_reader *reader);
void store_reader_close(struct store_reader *reader); /* takes NULL */
void store_reader_closep(struct store_reader **reader);

/* Whether the blob was compared with its digest in the last day, and had it. No waiting: for event threads too. */
bool store_is_checked(struct store *store, const struct store_blob *blob);

/*
 * A blob that is compared with its digest while it is read: from the beginning to the end, in order, by one thread at a
 * time. Where its bytes are not those of the digest the read that would be the last answers -EBADMSG, and an empty
 * one fails with that at once.
 */
struct store_check;

/* Takes ownership of reader, also when it fails. *ret is the caller's, free with store_check_close(). */
int store_check_start(struct store *store, const struct store_blob *blob, struct store_reader *reader,
                      struct store_check **ret, struct error *err) MUST_USE;
ssize_t store_check_read(struct store_check *check, uint64_t offset, void *ret_data, size_t size);
void store_check_close(struct store_check *check); /* takes NULL */
void store_check_closep(struct store_check **check);

/*
 * Gives a repository a blob that lies in another: in from_name, or, if that is NULL, anywhere.
 */
int store_mount_blob(struct store *store, const char *to_name, const struct digest *digest, const char *from_name,
                     const char *actor, struct error *err) MUST_USE;

/* Takes a blob from a repository; its bytes stay until they are collected. */
int store_unlink_blob(struct store *store, const char *name, const struct digest *digest, const char *actor,
                      struct error *err) MUST_USE;

/* --- uploads --------------------------------------------------------------------------- */

/* A session that one request writes to: for one thread at a time. */
struct upload;

/*
 * Begins a session. algorithm is that of the digest which is to come: with the right one nothing
 * has to be read again. *ret is the caller's, give it back with upload_release().
 */
int store_upload_create(struct store *store, const char *name, enum digest_algorithm algorithm, struct upload **ret,
                        struct error *err) MUST_USE;

/*
 * Goes on with a session, also with one of registry:2's. STORE_NOT_FOUND; STORE_BUSY where somebody
 * writes to it, for whose end it waits a second.
 */
int store_upload_open(struct store *store, const char *name, const char *id, struct upload **ret,
                      struct error *err) MUST_USE;

/* How much a session holds, in bytes; also while somebody writes to it. */
int store_upload_stat(struct store *store, const char *name, const char *id, uint64_t *ret_size,
                      struct error *err) MUST_USE;

/* Borrowed, valid until the release. */
const char *upload_get_id(const struct upload *upload);
uint64_t upload_get_size(const struct upload *upload);

/*
 * Appends, and may gather what it is given before it does so. Where it fails nothing of data is in the session, nor of
 * what was gathered. Writes to the page cache only: for event threads.
 */
int upload_write(struct upload *upload, const void *data, size_t size, struct error *err) MUST_USE;

/*
 * What was gathered goes into the session, too: to be called before a client is told that his bytes have come. Committing
 * does it, and so does releasing, but in silence.
 */
int upload_flush(struct upload *upload, struct error *err) MUST_USE;

/*
 * Makes the session a blob of its repository, on disk for good when this returns 0. After
 * STORE_DIGEST_MISMATCH or failure the session is as it was. Waits for the disk.
 */
int upload_commit(struct upload *upload, const struct digest *expected, const char *actor, struct error *err) MUST_USE;

/* Ends the session without a blob. */
int upload_cancel(struct upload *upload, struct error *err) MUST_USE;

/* Takes ownership; takes NULL. The session stays unless it was committed or cancelled. */
void upload_release(struct upload *upload);

/* Told of each session that is (or with is_dry_run would be) removed. */
typedef void store_purge_function(void *object, const char *name, const char *id);

/*
 * Removes the sessions that began more than max_age_ms ago and that nobody writes to; where nobody
 * knows when one began, the age of its folder counts. Removes what crashes left, too. One that
 * cannot be removed does not keep the others, but is an error at the end.
 */
int store_purge_uploads(struct store *store, uint64_t max_age_ms, bool is_dry_run, store_purge_function *tell,
                        void *object, struct error *err) MUST_USE;

/* --- manifests ------------------------------------------------------------------------- */

/* What is pushed; all borrowed. */
struct store_manifest {
    struct digest digest; /* of bytes: sha256, or sha512 where it was pushed by such a digest */
    const char *media_type;
    const void *bytes;
    size_t size;
    const struct digest *subject; /* NULL: it refers to none */
    const char *const *tags;
    size_t tag_count;
    const char *actor; /* who pushes it, for events; NULL: nobody in particular */
};

struct store_content {
    char *bytes; /* a NUL that size does not count follows them */
    size_t size;
    char media_type[256];
};
void store_content_done(struct store_content *content);

/*
 * Keeps a manifest and points the tags to it, on disk for good when this returns 0. It becomes
 * visible in this order: bytes, entry among the referrers, the manifest, its tags one after another.
 */
int store_put_manifest(struct store *store, const char *name, const struct store_manifest *manifest,
                       struct error *err) MUST_USE;

/*
 * The bytes are compared with the digest each time: -EBADMSG where they are others. *ret is the caller's, free with
 * store_content_done().
 */
int store_get_manifest(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                       struct store_content *ret, struct error *err) MUST_USE;
int store_has_manifest(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                       struct error *err) MUST_USE;

/* As store_want_blob(): the manifest and all that it names are protected from garbage collection. */
int store_want_manifest(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                        struct error *err) MUST_USE;

/* Both in one. */
int store_get_wanted_manifest(struct store *store, const char *name, const struct digest *digest,
                              enum store_waiting waiting, struct store_content *ret, struct error *err) MUST_USE;

/* Removes a manifest, under each digest that it was pushed by, and the tags that point to it. */
int store_delete_manifest(struct store *store, const char *name, const struct digest *digest, const char *actor,
                          struct error *err) MUST_USE;

/*
 * What of the repository says that its subject is that (which need not be there itself), in no
 * order; nothing is no error. The first call for a repository may read all of its manifests.
 * *ret is the caller's, free with store_digests_done().
 */
int store_list_referrers(struct store *store, const char *name, const struct digest *subject,
                         struct store_digests *ret, struct error *err) MUST_USE;

/* --- tags and repositories ------------------------------------------------------------- */

/* The digest that a tag names. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_resolve_tag(struct store *store, const char *name, const char *tag, enum store_waiting waiting,
                      struct digest *ret, struct error *err) MUST_USE;
int store_put_tag(struct store *store, const char *name, const char *tag, const struct digest *digest,
                  struct error *err) MUST_USE;
int store_delete_tag(struct store *store, const char *name, const char *tag, const char *actor,
                     struct error *err) MUST_USE;

/*
 * Up to n (SIZE_MAX: all) tags after last (NULL: from the first), sorted bytewise. STORE_NOT_FOUND
 * where nothing was ever pushed to the repository. *ret is the caller's, free with store_names_done().
 */
int store_list_tags(struct store *store, const char *name, const char *last, size_t n, struct store_names *ret,
                    struct error *err) MUST_USE;

/*
 * Likewise repositories: whatever has blobs, or has had any, as in registry:2. The order is
 * bytewise with '/' before everything else, so that a page costs as much as it holds.
 */
int store_list_repositories(struct store *store, const char *last, size_t n, struct store_names *ret,
                            struct error *err) MUST_USE;
