#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/digest.h"
#include "common/error.h"
#include "registry/storage/storage.h"

/*
 * The registry's content: blobs, manifests, tags and uploads, on any storage
 * (registry/storage/storage.h), in registry:2's layout, so that either program can continue where
 * the other stopped.
 *
 * Names and tags that callers pass must be valid (registry/spec/name.h). An actor is the user who
 * made the request, or NULL; only events use it (registry/core/events.h). Unless a comment says
 * otherwise, any thread may call a function, and it returns 0, negative with err filled, or one of:
 */
enum {
    STORE_NOT_FOUND = 1,
    STORE_BUSY = 2,
    STORE_DIGEST_MISMATCH = 3,
    STORE_WOULD_WAIT = 4,
    STORE_TAG_EXISTS = 5,
    STORE_OVER_QUOTA = 6,
};

/* Whether the caller's thread may wait. */
enum store_waiting {
    STORE_MUST_NOT_WAIT, /* an event thread: instead of waiting, the result is STORE_WOULD_WAIT */
    /* may read and parse manifests of any size, but not wait for garbage collection */
    STORE_MAY_READ,
    STORE_MAY_WAIT, /* may wait for anything */
};

struct store;

/* Opens a store on a storage. Takes ownership of the storage, also on failure. */
int store_open(struct storage *storage, struct store **ret, struct error *err) MUST_USE;

/* Accepts NULL. All readers and uploads must have been released before. */
void store_close(struct store *store);
void store_closep(struct store **store);

/* The storage, borrowed, for objects that belong to no repository. */
struct storage *store_get_storage(const struct store *store);

/* Whether the storage can be reached: 0 or negative. */
int store_check(struct store *store, struct error *err) MUST_USE;

/* Whether most operations wait for a network, so that callers need more threads. */
bool store_is_remote(const struct store *store);

/* What was asked of a remote storage; zeros if it is not remote. Waits for nothing. */
void store_count_requests(struct store *store, struct storage_request_counters *ret);

/* How many reads of links and manifests were served from memory, and how many were not. */
void store_count_copies(struct store *store, struct storage_copy_counters *ret);
void store_count_cache(struct store *store, uint64_t *ret_hits, uint64_t *ret_misses);

/*
 * Makes lists and searches of many entries, and purges, fail with ECANCELED from now on, so that a
 * server that stops does not wait for them.
 */
void store_cancel(struct store *store);

/*
 * Whether a failure concerns more than one object: memory or descriptors are exhausted, the server
 * is being stopped, or the storage does not answer. After such a failure a list must fail as a
 * whole, and not leave out the object.
 */
bool store_is_general_failure(int r);

/* --- lists ----------------------------------------------------------------------------- */

struct store_names {
    char **items;
    size_t count;
    bool has_more;        /* there are more names than fit on the page */
    size_t unreadable;    /* how many were omitted because they cannot be read */
    char *unreadable_why; /* the reason for the first of them; NULL: none, or out of memory */
};
void store_names_done(struct store_names *names);

struct store_digests {
    struct digest *items;
    size_t count;
};
/* 0 or -ENOMEM. */
int store_digests_add(struct store_digests *digests, const struct digest *digest) MUST_USE;
/* Sorts by text and drops duplicates. */
void store_digests_sort(struct store_digests *digests);
void store_digests_done(struct store_digests *digests);

/* --- blobs ----------------------------------------------------------------------------- */

/*
 * As in registry:2, a blob's bytes are stored under its sha256 digest, whichever digest was
 * requested.
 */
struct store_blob {
    struct digest canonical;
    uint64_t size;     /* in bytes */
    uint64_t identity; /* changes when the bytes are replaced */
    struct storage_version version;
    bool is_verified; /* by store_open_blob(): the storage has compared them with the digest */
};

/*
 * Finds a blob. STORE_NOT_FOUND unless the repository has it and its bytes exist; STORE_WOULD_WAIT.
 */
int store_find_blob(struct store *store, const char *name, const struct digest *digest,
                    enum store_waiting waiting, struct store_blob *ret, struct error *err) MUST_USE;

/*
 * Garbage collection keeps a refreshed object for at least this long, whatever its grace period is.
 */
enum { STORE_WANTED_FOR_S = 5 };

/*
 * Like store_find_blob(), but also protects the blob from garbage collection, for a caller that
 * relies on finding it later, such as a client that will not upload it. Fails with EACCES or EPERM
 * if another user owns the file, and with EAGAIN if garbage collection holds its lock for more than
 * two seconds.
 */
int store_want_blob(struct store *store, const char *name, const struct digest *digest,
                    enum store_waiting waiting, struct store_blob *ret, struct error *err) MUST_USE;

/*
 * An address of the bytes of a blob in the storage, for STORE_ADDRESS_S and one method (GET or
 * HEAD). Do not log it. STORE_NOT_FOUND if the storage has no addresses. *ret is owned by the
 * caller, free with free(). Waits.
 */
enum { STORE_ADDRESS_S = 20 * 60 };
int store_get_address(struct store *store, const struct store_blob *blob, const char *method,
                      char **ret, struct error *err) MUST_USE;

/* An open blob; its bytes stay readable if the blob is deleted. */
struct store_reader;

/*
 * Finds a blob like store_find_blob(), and opens it. The reader is owned by the caller, free with
 * store_reader_close().
 */
int store_open_blob(struct store *store, const char *name, const struct digest *digest,
                    enum store_waiting waiting, struct store_blob *ret_blob,
                    struct store_reader **ret, struct error *err) MUST_USE;
/* Reads up to size bytes at offset; 0 at the end, or -errno. Several threads may read at once. */
ssize_t store_reader_read(struct store_reader *reader, uint64_t offset, void *ret_data,
                          size_t size);
/*
 * The same on a thread that must not wait: -EAGAIN if it would have to. store_reader_wait(), on a
 * thread that may, then waits until it can go on.
 */
ssize_t store_reader_try(struct store_reader *reader, uint64_t offset, void *ret_data, size_t size);
void store_reader_wait(struct store_reader *reader);
/*
 * The same without a thread that waits: has ready(object) called once, on any thread, also before
 * it returns. ready() must not use the reader, which must not be closed before. Returns false, and
 * calls nothing, if only store_reader_wait() can help.
 */
bool store_reader_notify(struct store_reader *reader, void (*ready)(void *object), void *object);
/*
 * Like store_reader_try(), but lends the bytes until the next call for the reader, for reading in
 * order. -EOPNOTSUPP if the storage lends nothing.
 */
ssize_t store_reader_borrow(struct store_reader *reader, uint64_t offset, size_t size,
                            const void **ret_data);
/* A file with the same bytes, borrowed; -1 if the storage has none. */
int store_reader_get_fd(struct store_reader *reader);
void store_reader_close(struct store_reader *reader); /* accepts NULL */
void store_reader_closep(struct store_reader **reader);

/* Whether the blob's bytes were found to match its digest within the last day. Does not wait. */
bool store_is_checked(struct store *store, const struct store_blob *blob);

/*
 * Compares a blob with its digest while it is read from beginning to end, in order, by one thread
 * at a time. If the bytes do not match, the last read returns -EBADMSG; for an empty blob,
 * store_check_start() fails with that.
 */
struct store_check;

/*
 * Takes ownership of reader, also on failure. *ret is owned by the caller, free with
 * store_check_close().
 */
int store_check_start(struct store *store, const struct store_blob *blob,
                      struct store_reader *reader, struct store_check **ret,
                      struct error *err) MUST_USE;
ssize_t store_check_read(struct store_check *check, uint64_t offset, void *ret_data, size_t size);
/* As store_reader_try(), store_reader_wait(), store_reader_notify() and store_reader_borrow(). */
ssize_t store_check_try(struct store_check *check, uint64_t offset, void *ret_data, size_t size);
void store_check_wait(struct store_check *check);
bool store_check_notify(struct store_check *check, void (*ready)(void *object), void *object);
ssize_t store_check_borrow(struct store_check *check, uint64_t offset, size_t size,
                           const void **ret_data);
void store_check_close(struct store_check *check); /* accepts NULL */
void store_check_closep(struct store_check **check);

/*
 * Gives a repository a blob of another repository, or of any repository if from_name is NULL.
 * STORE_NOT_FOUND, STORE_OVER_QUOTA.
 */
int store_mount_blob(struct store *store, const char *to_name, const struct digest *digest,
                     const char *from_name, const char *actor, struct error *err) MUST_USE;

/* Removes a blob from a repository; its bytes stay until garbage collection. STORE_NOT_FOUND. */
int store_unlink_blob(struct store *store, const char *name, const struct digest *digest,
                      const char *actor, struct error *err) MUST_USE;

/* --- uploads --------------------------------------------------------------------------- */

/*
 * An upload session while one request writes to it; for one thread at a time. No other request or
 * server can write to it at the same time.
 */
struct upload;

/*
 * Begins a session. algorithm is a guess of the digest's algorithm. If it is right, no bytes have
 * to be read again at the end. *ret is owned by the caller, free with upload_release().
 */
int store_upload_create(struct store *store, const char *name, enum digest_algorithm algorithm,
                        struct upload **ret, struct error *err) MUST_USE;

/*
 * Continues a session, which another server or registry:2 may have begun. STORE_NOT_FOUND;
 * STORE_BUSY while another request writes to it: try again later.
 */
int store_upload_open(struct store *store, const char *name, const char *id, struct upload **ret,
                      struct error *err) MUST_USE;

/* The size of a session in bytes, also while a request writes to it. STORE_NOT_FOUND. */
int store_upload_stat(struct store *store, const char *name, const char *id, uint64_t *ret_size,
                      struct error *err) MUST_USE;

/* Borrowed, valid until the release. */
const char *upload_get_id(const struct upload *upload);
uint64_t upload_get_size(const struct upload *upload);

/*
 * Appends data. Small pieces are gathered in memory first. On failure, the session contains neither
 * data nor the gathered pieces. Does not wait for the disk, so event threads may call it, unless
 * upload_would_wait() says that it would wait for a network.
 */
int upload_write(struct upload *upload, const void *data, size_t size, struct error *err) MUST_USE;
bool upload_would_wait(const struct upload *upload, size_t size);

/* Whom the upload is for, as a hash: owners share the memory for uploads fairly. */
void upload_set_owner(struct upload *upload, uint64_t owner);

/*
 * Makes room in memory for size more bytes. STORE_BUSY: other uploads have the memory; call it
 * again after upload_notify(). Waits for the storage, but not for other uploads. Call it before
 * upload_write() if upload_would_wait().
 */
int upload_reserve(struct upload *upload, size_t size, struct error *err) MUST_USE;

/* The same before upload_keep() and upload_commit(). Also appends the gathered pieces. */
int upload_prepare_end(struct upload *upload, struct error *err) MUST_USE;

/*
 * After STORE_BUSY: has ready(object) called once when the upload is the next one, on any thread,
 * also before it returns. The upload must not be used before. Returns false, and calls nothing, if
 * it is now.
 */
bool upload_notify(struct upload *upload, void (*ready)(void *object), void *object);

/*
 * Appends the gathered pieces. Committing and releasing do this, too, but releasing reports no
 * failure.
 */
int upload_flush(struct upload *upload, struct error *err) MUST_USE;

/*
 * Like upload_flush(), and makes the bytes survive the end of the process on every storage. Call it
 * before the client's bytes are acknowledged, unless the upload is committed. Waits.
 */
int upload_keep(struct upload *upload, struct error *err) MUST_USE;

/*
 * Turns the session into a blob of its repository, which is durable when this returns 0. After
 * STORE_DIGEST_MISMATCH, STORE_OVER_QUOTA (with a text for the client in err) or a failure, the
 * session is unchanged. An existing blob is kept, unless its bytes are damaged. Waits for the disk.
 */
int upload_commit(struct upload *upload, const struct digest *expected, const char *actor,
                  struct error *err) MUST_USE;

/* Ends the session without a blob. */
int upload_cancel(struct upload *upload, struct error *err) MUST_USE;

/* Takes ownership; accepts NULL. The session stays unless it was committed or cancelled. */
void upload_release(struct upload *upload);

/* Called for each session that is (or with is_dry_run would be) removed. */
typedef void store_purge_function(void *object, const char *name, const char *id);

/*
 * Removes the sessions that began more than max_age_ms ago and that no request writes to. If the
 * start is unknown, the age of their objects counts. Also removes what crashes left. If a session
 * cannot be removed, the others still are, and the first failure is returned at the end.
 */
int store_purge_uploads(struct store *store, uint64_t max_age_ms, bool is_dry_run,
                        store_purge_function *tell, void *object, struct error *err) MUST_USE;

/*
 * The same for one of several servers: STORE_BUSY, and nothing is done, while another one purges or
 * if one has within the interval.
 */
int store_purge_uploads_in_turn(struct store *store, uint64_t interval_ms, uint64_t max_age_ms,
                                store_purge_function *tell, void *object,
                                struct error *err) MUST_USE;

/* --- manifests ------------------------------------------------------------------------- */

/* A manifest to push; all borrowed. */
struct store_manifest {
    struct digest digest; /* of bytes: sha256, or sha512 if it was pushed by such a digest */
    const char *media_type;
    const void *bytes;
    size_t size;
    const struct digest *subject; /* NULL: none */
    const char *const *tags;
    size_t tag_count;
    /* for each tag, whether an existing tag must not be replaced; NULL: no tag is protected */
    const bool *protected_tags;
    const char *actor; /* the user, for events; NULL: not logged in */
};

struct store_content {
    char *bytes; /* followed by a NUL that size does not count */
    size_t size;
    char media_type[256];
};
void store_content_done(struct store_content *content);

/*
 * Caches the media type that the manifest shows, so that store_put_manifest() need not parse it.
 * Slow for a large manifest.
 */
void store_note_type(struct store *store, const struct digest *digest, const void *bytes,
                     size_t size);

/*
 * Stores a manifest and points the tags to it; durable when this returns 0. They become visible in
 * this order: the bytes, the entry in the referrers index, the manifest, its tags one by one.
 * STORE_TAG_EXISTS: a protected tag names another manifest. A conditional write decides this, so it
 * also holds between servers; other tags may have been created before. STORE_OVER_QUOTA: err
 * contains a text for the client.
 */
int store_put_manifest(struct store *store, const char *name, const struct store_manifest *manifest,
                       struct error *err) MUST_USE;

/*
 * Reads a manifest and compares its bytes with the digest: -EBADMSG if they do not match.
 * STORE_NOT_FOUND, STORE_WOULD_WAIT. *ret is owned by the caller, free with store_content_done().
 */
int store_get_manifest(struct store *store, const char *name, const struct digest *digest,
                       enum store_waiting waiting, struct store_content *ret,
                       struct error *err) MUST_USE;
int store_has_manifest(struct store *store, const char *name, const struct digest *digest,
                       enum store_waiting waiting, struct error *err) MUST_USE;

/*
 * store_get_manifest() for a digest that store_resolve_tag() has found for the same request. On a
 * remote storage that proves that the repository has the manifest, whose bytes may be in memory.
 */
int store_get_tagged_manifest(struct store *store, const char *name, const struct digest *digest,
                              enum store_waiting waiting, struct store_content *ret,
                              struct error *err) MUST_USE;

/*
 * Like store_want_blob(): protects the manifest and everything that it names from garbage
 * collection.
 */
int store_want_manifest(struct store *store, const char *name, const struct digest *digest,
                        enum store_waiting waiting, struct error *err) MUST_USE;

/* store_want_manifest() and store_get_manifest() in one. */
int store_get_wanted_manifest(struct store *store, const char *name, const struct digest *digest,
                              enum store_waiting waiting, struct store_content *ret,
                              struct error *err) MUST_USE;

/*
 * Removes a manifest under each digest that it was pushed by, and the tags that point to it.
 * STORE_NOT_FOUND.
 */
int store_delete_manifest(struct store *store, const char *name, const struct digest *digest,
                          const char *actor, struct error *err) MUST_USE;

/*
 * Lists the manifests of the repository whose subject is that digest, unsorted. The subject need
 * not exist; an empty list is not an error. Some manifests in the list may have been removed. Until
 * all manifests of the repository have been read once since the start, each call reads some of them
 * for about 0.1 s and returns STORE_WOULD_WAIT; call it again. Slow. *ret is owned by the caller,
 * free with store_digests_done().
 */
int store_list_referrers(struct store *store, const char *name, const struct digest *subject,
                         struct store_digests *ret, struct error *err) MUST_USE;

/* --- tags and repositories ------------------------------------------------------------- */

/* Finds the digest that a tag names. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_resolve_tag(struct store *store, const char *name, const char *tag,
                      enum store_waiting waiting, struct digest *ret, struct error *err) MUST_USE;
int store_put_tag(struct store *store, const char *name, const char *tag,
                  const struct digest *digest, struct error *err) MUST_USE;
int store_delete_tag(struct store *store, const char *name, const char *tag, const char *actor,
                     struct error *err) MUST_USE;

/*
 * The digest that a tag names, and when the tag was last pushed, by the storage's clock. The
 * version changes with each push. STORE_NOT_FOUND.
 */
struct store_tag_state {
    struct digest digest;
    int64_t pushed_ns; /* nanoseconds since 1970 */
    struct storage_version version;
};
int store_stat_tag(struct store *store, const char *name, const char *tag,
                   struct store_tag_state *ret, struct error *err) MUST_USE;

/* Like store_delete_tag(), but only if the tag still has that version; otherwise STORE_BUSY. */
int store_delete_tag_if(struct store *store, const char *name, const char *tag,
                        const struct storage_version *version, const char *actor,
                        struct error *err) MUST_USE;

/*
 * Lists up to n (SIZE_MAX: all) tags after last (NULL: from the first), sorted bytewise.
 * STORE_NOT_FOUND if nothing was ever pushed to the repository. *ret is owned by the caller, free
 * with store_names_done().
 */
int store_list_tags(struct store *store, const char *name, const char *last, size_t n,
                    struct store_names *ret, struct error *err) MUST_USE;

/* Selects the names that a list shows. */
struct store_filter {
    bool (*is_shown)(const void *object, const char *name);
    const void *object;
};

/*
 * Like store_list_tags(), for repositories: as in registry:2, everything that has or had blobs or
 * manifests. The order is bytewise with '/' before every other character, so that the cost of a
 * page depends only on its length. A filter (NULL: all) hides names; has_more considers only
 * visible names.
 */
int store_list_repositories(struct store *store, const char *last, size_t n,
                            const struct store_filter *filter, struct store_names *ret,
                            struct error *err) MUST_USE;

/* Compares names in that order: like strcmp(), but '/' comes before every other character. */
int store_compare_repositories(const char *a, const char *b);

/* The index of a name in a list of repositories in that order, or names->count if it is missing. */
size_t store_find_repository(const struct store_names *names, const char *name);
