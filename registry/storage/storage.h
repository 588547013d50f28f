#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define STORAGE_PRIVATE "private/"

/*
 * The contract between registry/core and a storage backend, which keeps objects by key.
 * docs/storage.md explains it.
 *
 * A key is a relative path such as "repositories/alpine/_layers/sha256/<hex>/link". A prefix is the
 * beginning of keys, up to and including a '/'. If "a" is the key of an object, no other key begins
 * with "a/". The contract does not assume directories, renames, modification times, or locks within
 * one process. Objects below STORAGE_PRIVATE hold secrets: a backend that has permissions lets only
 * the server's user access them, and no backend caches them in memory.
 *
 * Any thread may call any function, also for a reader. Only one thread at a time may use an upload
 * or a claim. Functions return 0, negative with err filled (its text names the key), or one of
 * these outcomes if the comment of the function lists it:
 */
enum storage_outcome {
    STORAGE_NOT_FOUND = 1, /* there is no object at the key */
    STORAGE_CONFLICT,      /* a condition does not hold */
    STORAGE_WRONG_OFFSET,  /* the upload has another size */
    STORAGE_CLAIM_LOST,    /* the claim ended before its holder released it; nothing was written */
    STORAGE_WOULD_WAIT, /* waiting would be necessary but is not allowed, or patience_ms has passed
                         */
};

/*
 * Whether the caller's thread may wait for a network or a lock. Reading from the page cache is not
 * waiting.
 */
enum storage_waiting { STORAGE_MUST_NOT_WAIT, STORAGE_MAY_WAIT };

/*
 * Opaque; compare with storage_version_is_same(). A write that replaces the bytes of an
 * object changes its version.
 */
struct storage_version {
    uint64_t words[6];
};

struct storage_object {
    uint64_t size; /* bytes */
    struct storage_version version;
    bool is_verified; /* by open_copy(): these bytes match their digest */
};

/* One page of the names directly below a prefix, sorted. Free with storage_list_done(). */
struct storage_entry {
    bool is_prefix; /* something may lie below "<prefix><name>/" */
    char name[];    /* without a '/' */
};

struct storage_list {
    struct storage_entry **entries;
    size_t count;
    bool has_more;
};

/* The most keys of one list_keys(). */
enum { STORAGE_KEYS_MAX = 1000 };

enum storage_condition {
    STORAGE_ALWAYS,
    STORAGE_IF_ABSENT,
    STORAGE_IF_UNCHANGED, /* the key has the version of the step */
};

enum storage_step_kind {
    STORAGE_PUT,     /* writes data to key */
    STORAGE_PUBLISH, /* moves the bytes of upload to key, which must be absent */
    STORAGE_KEEP,    /* refreshes the object at key and makes it durable; STORAGE_NOT_FOUND */
    STORAGE_MARK,    /* creates the directory of the prefix key, if the backend has directories */
};

/* All borrowed. */
struct storage_step {
    enum storage_step_kind kind;
    const char *key;
    const void *data;
    size_t size;
    enum storage_condition condition; /* for STORAGE_PUT */
    struct storage_version version;
    struct storage_upload *upload;
};

/*
 * For remove_unused(): keys and prefixes that are removed together. If any of the witnesses was
 * created or refreshed recently, all of them stay. A missing witness is ignored. All borrowed.
 */
struct storage_removal {
    const char *const *keys;
    size_t key_count;
    const char *const *witnesses;
    size_t witness_count;
    bool is_spared; /* set by remove_unused() */
};

/*
 * refresh() need not write if the object was refreshed within this time, so that requests for a
 * popular object do not each cause a write.
 */
enum { STORAGE_REFRESH_S = 60 };

enum storage_upload_mode {
    STORAGE_UPLOAD_NEW,    /* STORAGE_CONFLICT if there is one at the key */
    STORAGE_UPLOAD_RESUME, /* STORAGE_NOT_FOUND if there is none */
};

/* The state of an upload. Each append by any process changes the version. */
struct storage_upload_state {
    uint64_t size; /* bytes */
    struct storage_version version;
};

typedef void storage_ready(void *object);

enum storage_claim_mode { STORAGE_SHARED, STORAGE_EXCLUSIVE };

/* Reads that the backend's caches answered, and reads that they could not answer. */
struct storage_cache_counters {
    uint64_t hits, misses;
};

/* A cache on a local disk, since the storage was opened. */
struct storage_copy_counters {
    bool is_enabled;
    bool is_ready;         /* it serves blobs */
    uint64_t hits, misses; /* blobs that were opened */
    uint64_t fills;        /* blobs that were added */
    uint64_t evictions;    /* blobs that were removed to make room */
    uint64_t damaged; /* blobs that were removed because they could not be read or were wrong */
    uint64_t bytes;   /* of room that it takes now */
};

/* Requests to a remote storage since it was opened. */
struct storage_request_counters {
    uint64_t requests; /* that were sent, with the retries */
    uint64_t retries;  /* of these */
    uint64_t failures; /* of these: no answer, or one that says that the storage is not well */
    uint64_t refused;  /* that were not sent, because the storage is down */
    uint64_t renewals; /* of the keys */
    uint64_t renewal_failures;
    uint64_t upload_bytes; /* of memory that uploads have now, apart from 64 KiB for each */
    bool is_down;          /* it has not answered for a while, so requests fail at once */
};

/* A backend puts these at the beginning of its own structs. */
struct storage {
    const struct storage_functions *functions;
};
struct storage_reader {
    const struct storage_functions *functions;
};
struct storage_upload {
    const struct storage_functions *functions;
    uint64_t owner; /* a hash of whom it is for, set by the caller: owners share memory fairly */
};
struct storage_claim {
    const struct storage_functions *functions;
};

/* The functions that a backend implements. Callers use the storage_*() functions below. */
struct storage_functions {
    void (*close)(struct storage *storage);

    /* Checks that the storage can be reached. */
    int (*check)(struct storage *storage, struct error *err);

    /* Seconds since 1970, by the storage's own clock. */
    int64_t (*now)(struct storage *storage);

    /* Whether most operations wait for a network, so that callers need more threads. */
    bool (*is_remote)(const struct storage *storage);

    /* Counts since the storage was opened; zeros if the backend has no cache. */
    void (*count_cache)(struct storage *storage, struct storage_cache_counters *ret);

    /* The same for a cache on a local disk. NULL if the backend has none. */
    void (*count_copies)(struct storage *storage, struct storage_copy_counters *ret);

    /* Waits for nothing. Zeros if the backend is not remote. */
    void (*count_requests)(struct storage *storage, struct storage_request_counters *ret);

    /*
     * From that moment of monotonic_ms() on no operation waits for a network: what is in progress
     * then fails with -ESHUTDOWN, and later operations fail at once. Waits for nothing. NULL if the
     * backend is not remote.
     */
    void (*end_at)(struct storage *storage, int64_t moment_ms);

    /*
     * From now on uploads do not wait for each other: upload_reserve() fails, and the functions of
     * upload_notify() are called. NULL if they never wait.
     */
    void (*stop_waiting)(struct storage *storage);

    /* --- reading ------------------------------------------------------------------------- */

    /* Size and version of an object. STORAGE_NOT_FOUND, STORAGE_WOULD_WAIT. */
    int (*head)(struct storage *storage, const char *key, enum storage_waiting waiting,
                struct storage_object *ret, struct error *err);

    /*
     * Reads a whole object of at most limit bytes; a larger one is -EFBIG. *ret_bytes is owned by
     * the caller, free with free(); a NUL, not counted in *ret_size, follows the bytes.
     * STORAGE_NOT_FOUND, STORAGE_WOULD_WAIT.
     */
    int (*get)(struct storage *storage, const char *key, size_t limit, enum storage_waiting waiting,
               char **ret_bytes, size_t *ret_size, struct error *err);

    /*
     * Opens an object for ranged reads. The reader still returns the same bytes after the object is
     * replaced or removed. *ret is owned by the caller, free with reader_close().
     * STORAGE_NOT_FOUND, STORAGE_WOULD_WAIT.
     */
    int (*open)(struct storage *storage, const char *key, enum storage_waiting waiting,
                struct storage_reader **ret, struct storage_object *ret_object, struct error *err);

    /*
     * Like open(), but a blob may be read from a copy on a local disk, also if the object was
     * removed meanwhile. Use it to serve clients, and open() to look at the storage. NULL if the
     * backend has no such copies.
     */
    int (*open_copy)(struct storage *storage, const char *key, enum storage_waiting waiting,
                     struct storage_reader **ret, struct storage_object *ret_object,
                     struct error *err);

    /*
     * Like head() of link and then open_copy() of key, but may ask for both at once. The result
     * must not depend on the object at key, in value or in time, if there is none at link.
     * *ret_link is also written if only key is missing. NULL: there is nothing to gain.
     */
    int (*open_linked)(struct storage *storage, const char *link, const char *key,
                       enum storage_waiting waiting, struct storage_object *ret_link,
                       struct storage_reader **ret, struct storage_object *ret_object,
                       struct error *err);

    /*
     * Reads up to size bytes at offset. Returns their number, 0 at the end, -EAGAIN if the caller
     * would have to wait, or another -errno.
     */
    ssize_t (*reader_read)(struct storage_reader *reader, uint64_t offset, void *ret_data,
                           size_t size, enum storage_waiting waiting);

    /* Waits until the read that returned -EAGAIN last can continue, or fails. */
    void (*reader_wait)(struct storage_reader *reader);

    /*
     * The same for a thread that must not wait: has ready(object) called once, on any thread, also
     * before it returns. ready() must not use the reader, which must not be closed before. Returns
     * false, and calls nothing, if only reader_wait() can help. NULL: that is always so.
     */
    bool (*reader_notify)(struct storage_reader *reader, storage_ready *ready, void *object);

    /*
     * Like reader_read() for a thread that must not wait, but without copying: lends bytes, which
     * are valid until the next call for the reader. Those before offset may be dropped, so use it
     * to read in order. NULL if the backend lends nothing.
     */
    ssize_t (*reader_borrow)(struct storage_reader *reader, uint64_t offset, size_t size,
                             const void **ret_data);

    /*
     * An address where anybody can send that method, GET or HEAD, for the object until expires_s
     * seconds from now. It is a secret until then: do not log it. The object need not exist. *ret
     * is owned by the caller, free with free(). Waits. NULL if the backend has no such addresses.
     */
    int (*get_address)(struct storage *storage, const char *key, const char *method,
                       unsigned expires_s, char **ret, struct error *err);

    /* A descriptor of a file with the same bytes, borrowed; -1 if there is none. */
    int (*reader_get_fd)(struct storage_reader *reader);
    void (*reader_close)(struct storage_reader *reader); /* takes NULL */

    /*
     * Lists up to limit (SIZE_MAX: all) objects and prefixes directly below prefix ("": the root),
     * sorted by the bytes of their names. The list starts after the name in after, or at the first
     * name if that is NULL. If nothing is below prefix, the list is empty.
     */
    int (*list)(struct storage *storage, const char *prefix, const char *after, size_t limit,
                struct storage_list *ret, struct error *err);

    /*
     * Lists up to limit (at most STORAGE_KEYS_MAX) keys of objects below prefix at any depth,
     * without the prefix, sorted by the bytes of the whole keys. The list starts after the key in
     * after, which need not exist, or at the first one if that is NULL. One request. NULL unless
     * is_remote().
     */
    int (*list_keys)(struct storage *storage, const char *prefix, const char *after, size_t limit,
                     struct storage_list *ret, struct error *err);

    /* --- writing ------------------------------------------------------------------------- */

    /*
     * Performs the steps in order. Each step is atomic. After 0 all of them survive a power
     * failure. STORAGE_CONFLICT, STORAGE_NOT_FOUND or STORAGE_CLAIM_LOST (of an upload) mean that
     * one step could not be performed: the steps before it were, the steps after it were not. After
     * a failure, some steps may have been performed. Waits.
     */
    int (*write)(struct storage *storage, const struct storage_step *steps, size_t count,
                 struct error *err);

    /*
     * Removes objects, and all objects below prefixes, in the order of keys; those below one prefix
     * in any order. It is not an error if one is missing. After 0 the removal survives a power
     * failure. Waits.
     */
    int (*remove)(struct storage *storage, const char *const *keys, size_t count,
                  struct error *err);

    /* Removes the object if it has that version. STORAGE_NOT_FOUND, STORAGE_CONFLICT. Waits. */
    int (*remove_if_unchanged)(struct storage *storage, const char *key,
                               const struct storage_version *version, struct error *err);

    /* Writes a small object that need not survive a power failure; after one, it may be empty. */
    int (*note)(struct storage *storage, const char *key, const void *data, size_t size,
                struct error *err);

    /* --- garbage collection -------------------------------------------------------------- */

    /*
     * Like head(), but also protects the object from remove_unused(), as if it had been created now
     * (or up to STORAGE_REFRESH_S ago). STORAGE_NOT_FOUND. STORAGE_WOULD_WAIT while a removal is in
     * progress; if the caller may wait, only after two seconds.
     */
    int (*refresh)(struct storage *storage, const char *key, enum storage_waiting waiting,
                   struct storage_object *ret, struct error *err);

    /*
     * Every collection calls the first before it reads anything, and the second at its end. In
     * between, the storage remembers what was refreshed since the collection began. Waits.
     */
    int (*begin_collection)(struct storage *storage, struct error *err);
    void (*end_collection)(struct storage *storage);

    /*
     * Whether an object, or any object below a prefix, was created or refreshed at moment_s (a
     * result of now()) or later. STORAGE_NOT_FOUND. Waits.
     */
    int (*used_since)(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                      struct error *err);

    /*
     * When an object was last created or refreshed, in nanoseconds since 1970, as exactly as the
     * storage knows. Use it to sort objects for display, not to decide what to remove while other
     * processes write. STORAGE_NOT_FOUND. Waits.
     */
    int (*last_use)(struct storage *storage, const char *key, int64_t *ret_ns, struct error *err);

    /*
     * Removes the objects that were neither created nor refreshed at moment_s or later. Each
     * removal is atomic for write() and refresh() of any process. After 0 the removals survive a
     * power failure. Waits.
     */
    int (*remove_unused)(struct storage *storage, struct storage_removal *removals, size_t count,
                         int64_t moment_s, struct error *err);

    /*
     * Removes temporary data, not visible at any key, that crashed processes left at least age_s
     * ago (0: all of it). Waits.
     */
    int (*clean_up)(struct storage *storage, int64_t age_s, struct error *err);

    /* --- uploads ------------------------------------------------------------------------- */

    /*
     * Opens an upload and claims it. If another process holds the claim, waits up to patience_ms,
     * then returns STORAGE_WOULD_WAIT. *ret is owned by the caller, free with upload_close(), which
     * releases the claim. Other processes may not find a new upload before upload_keep().
     */
    int (*upload_open)(struct storage *storage, const char *key, enum storage_upload_mode mode,
                       unsigned patience_ms, struct storage_upload **ret, struct error *err);

    /*
     * Whether uploads can be found by upload_head() alone, which also says when they began. If not,
     * callers write an object beside each upload.
     */
    bool (*dates_uploads)(const struct storage *storage);

    /*
     * The size at the last upload_keep() or later, and when the upload began, in seconds since 1970
     * (0: not known). Needs no claim. STORAGE_NOT_FOUND.
     */
    int (*upload_head)(struct storage *storage, const char *key, uint64_t *ret_size,
                       int64_t *ret_started_s, struct error *err);

    int (*upload_get_state)(struct storage_upload *upload, struct storage_upload_state *ret,
                            struct error *err);

    /*
     * Makes room in memory for size more bytes; with 0, for upload_keep() and for publishing. The
     * memory of all uploads is bounded, so it may have to wait until others need less. If it must
     * not wait for that: STORAGE_WOULD_WAIT, and the upload is in a line; call it again with the
     * same size after upload_notify(). Call it before each append that upload_would_wait(); what is
     * appended without it is not bounded. Waits for a network. NULL if there is always room.
     */
    int (*upload_reserve)(struct storage_upload *upload, size_t size, enum storage_waiting waiting,
                          struct error *err);

    /*
     * Calls ready(object) once when the upload is the next one, on any thread, also before it
     * returns. The upload must not be used before. Returns false, and calls nothing, if it is now.
     * NULL if upload_reserve() is.
     */
    bool (*upload_notify)(struct storage_upload *upload, storage_ready *ready, void *object);

    /*
     * Appends at offset, which must be the upload's size. STORAGE_WRONG_OFFSET, STORAGE_CLAIM_LOST.
     * After a failure the upload contains nothing of data. Does not wait for a disk.
     */
    int (*upload_append)(struct storage_upload *upload, uint64_t offset, const void *data,
                         size_t size, struct error *err);

    /* Whether upload_append() of size bytes may have to wait for a network or for memory. */
    bool (*upload_would_wait)(const struct storage_upload *upload, size_t size);

    /*
     * Makes the appended bytes survive the end of the process, but not necessarily a power failure.
     * From then on upload_head() of other processes counts them. Call it before the client's bytes
     * or a new upload are acknowledged. It may release the claim; the next append claims the upload
     * again. STORAGE_CLAIM_LOST. Waits.
     */
    int (*upload_keep)(struct storage_upload *upload, struct error *err);

    /* As reader_read(). */
    ssize_t (*upload_read)(struct storage_upload *upload, uint64_t offset, void *ret_data,
                           size_t size);

    /* Removes the upload, which must still be closed. */
    int (*upload_discard)(struct storage_upload *upload, struct error *err);
    void (*upload_close)(struct storage_upload *upload); /* takes NULL */

    /* --- claims -------------------------------------------------------------------------- */

    /*
     * Claims a prefix against all processes on all hosts. Waits up to patience_ms, then returns
     * STORAGE_WOULD_WAIT. An exclusive claim that waits has precedence over new shared ones.
     * STORAGE_NOT_FOUND if mode is STORAGE_EXCLUSIVE and nothing is below the prefix. A claim whose
     * holder crashed ends after a bounded time. *ret is owned by the caller, free with
     * claim_release().
     */
    int (*claim)(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
                 unsigned patience_ms, struct storage_claim **ret, struct error *err);

    /* 0 or STORAGE_CLAIM_LOST. Call it right before the write that the claim protects. */
    int (*claim_check)(struct storage_claim *claim, struct error *err);
    void (*claim_release)(struct storage_claim *claim); /* takes NULL */
};

bool storage_version_is_same(const struct storage_version *a, const struct storage_version *b);

/* For backends: appends a copy of a name to a list that holds fewer than SIZE_MAX. 0 or -ENOMEM. */
int storage_list_add(struct storage_list *list, const char *name, size_t size, bool is_prefix);
void storage_list_done(struct storage_list *list);

/* --- calls of the functions above, by name ---------------------------------------------- */

static inline void storage_close(struct storage *storage)
{
    storage->functions->close(storage);
}

static inline int storage_check(struct storage *storage, struct error *err)
{
    return storage->functions->check(storage, err);
}

static inline int64_t storage_now(struct storage *storage)
{
    return storage->functions->now(storage);
}

static inline bool storage_is_remote(const struct storage *storage)
{
    return storage->functions->is_remote(storage);
}

static inline void storage_count_cache(struct storage *storage, struct storage_cache_counters *ret)
{
    storage->functions->count_cache(storage, ret);
}

static inline void storage_count_copies(struct storage *storage, struct storage_copy_counters *ret)
{
    *ret = (struct storage_copy_counters){0};
    if (storage->functions->count_copies)
        storage->functions->count_copies(storage, ret);
}

static inline void storage_count_requests(struct storage *storage,
                                          struct storage_request_counters *ret)
{
    storage->functions->count_requests(storage, ret);
}

static inline void storage_end_at(struct storage *storage, int64_t moment_ms)
{
    if (storage->functions->end_at)
        storage->functions->end_at(storage, moment_ms);
}

static inline void storage_stop_waiting(struct storage *storage)
{
    if (storage->functions->stop_waiting)
        storage->functions->stop_waiting(storage);
}

static inline int storage_head(struct storage *storage, const char *key,
                               enum storage_waiting waiting, struct storage_object *ret,
                               struct error *err)
{
    return storage->functions->head(storage, key, waiting, ret, err);
}

static inline int storage_get(struct storage *storage, const char *key, size_t limit,
                              enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                              struct error *err)
{
    return storage->functions->get(storage, key, limit, waiting, ret_bytes, ret_size, err);
}

static inline int storage_open(struct storage *storage, const char *key,
                               enum storage_waiting waiting, struct storage_reader **ret,
                               struct storage_object *ret_object, struct error *err)
{
    return storage->functions->open(storage, key, waiting, ret, ret_object, err);
}

static inline int storage_open_copy(struct storage *storage, const char *key,
                                    enum storage_waiting waiting, struct storage_reader **ret,
                                    struct storage_object *ret_object, struct error *err)
{
    return storage->functions->open_copy
               ? storage->functions->open_copy(storage, key, waiting, ret, ret_object, err)
               : storage_open(storage, key, waiting, ret, ret_object, err);
}

static inline int storage_open_linked(struct storage *storage, const char *link, const char *key,
                                      enum storage_waiting waiting, struct storage_object *ret_link,
                                      struct storage_reader **ret,
                                      struct storage_object *ret_object, struct error *err)
{
    int r;

    if (storage->functions->open_linked)
        return storage->functions->open_linked(storage, link, key, waiting, ret_link, ret,
                                               ret_object, err);
    r = storage_head(storage, link, waiting, ret_link, err);
    return r == 0 ? storage_open_copy(storage, key, waiting, ret, ret_object, err) : r;
}

static inline ssize_t storage_reader_read(struct storage_reader *reader, uint64_t offset,
                                          void *ret_data, size_t size)
{
    return reader->functions->reader_read(reader, offset, ret_data, size, STORAGE_MAY_WAIT);
}

/* The same for a thread that must not wait. */
static inline ssize_t storage_reader_try(struct storage_reader *reader, uint64_t offset,
                                         void *ret_data, size_t size)
{
    return reader->functions->reader_read(reader, offset, ret_data, size, STORAGE_MUST_NOT_WAIT);
}

static inline void storage_reader_wait(struct storage_reader *reader)
{
    reader->functions->reader_wait(reader);
}

static inline bool storage_reader_notify(struct storage_reader *reader, storage_ready *ready,
                                         void *object)
{
    return reader->functions->reader_notify &&
           reader->functions->reader_notify(reader, ready, object);
}

/* -EOPNOTSUPP if the backend lends nothing. */
static inline ssize_t storage_reader_borrow(struct storage_reader *reader, uint64_t offset,
                                            size_t size, const void **ret_data)
{
    return reader->functions->reader_borrow
               ? reader->functions->reader_borrow(reader, offset, size, ret_data)
               : -EOPNOTSUPP;
}

/* STORAGE_NOT_FOUND if the backend has no addresses. */
static inline int storage_get_address(struct storage *storage, const char *key, const char *method,
                                      unsigned expires_s, char **ret, struct error *err)
{
    return storage->functions->get_address
               ? storage->functions->get_address(storage, key, method, expires_s, ret, err)
               : STORAGE_NOT_FOUND;
}

static inline int storage_reader_get_fd(struct storage_reader *reader)
{
    return reader->functions->reader_get_fd(reader);
}

static inline void storage_reader_close(struct storage_reader *reader)
{
    if (reader)
        reader->functions->reader_close(reader);
}

static inline int storage_list(struct storage *storage, const char *prefix, const char *after,
                               size_t limit, struct storage_list *ret, struct error *err)
{
    return storage->functions->list(storage, prefix, after, limit, ret, err);
}

static inline int storage_list_keys(struct storage *storage, const char *prefix, const char *after,
                                    size_t limit, struct storage_list *ret, struct error *err)
{
    return storage->functions->list_keys(storage, prefix, after, limit, ret, err);
}

static inline int storage_write(struct storage *storage, const struct storage_step *steps,
                                size_t count, struct error *err)
{
    return storage->functions->write(storage, steps, count, err);
}

static inline int storage_remove(struct storage *storage, const char *const *keys, size_t count,
                                 struct error *err)
{
    return storage->functions->remove(storage, keys, count, err);
}

static inline int storage_remove_if_unchanged(struct storage *storage, const char *key,
                                              const struct storage_version *version,
                                              struct error *err)
{
    return storage->functions->remove_if_unchanged(storage, key, version, err);
}

static inline int storage_note(struct storage *storage, const char *key, const void *data,
                               size_t size, struct error *err)
{
    return storage->functions->note(storage, key, data, size, err);
}

static inline int storage_refresh(struct storage *storage, const char *key,
                                  enum storage_waiting waiting, struct storage_object *ret,
                                  struct error *err)
{
    return storage->functions->refresh(storage, key, waiting, ret, err);
}

static inline int storage_begin_collection(struct storage *storage, struct error *err)
{
    return storage->functions->begin_collection(storage, err);
}

static inline void storage_end_collection(struct storage *storage)
{
    storage->functions->end_collection(storage);
}

static inline int storage_used_since(struct storage *storage, const char *key, int64_t moment_s,
                                     bool *ret, struct error *err)
{
    return storage->functions->used_since(storage, key, moment_s, ret, err);
}

static inline int storage_last_use(struct storage *storage, const char *key, int64_t *ret_ns,
                                   struct error *err)
{
    return storage->functions->last_use(storage, key, ret_ns, err);
}

static inline int storage_remove_unused(struct storage *storage, struct storage_removal *removals,
                                        size_t count, int64_t moment_s, struct error *err)
{
    return storage->functions->remove_unused(storage, removals, count, moment_s, err);
}

static inline int storage_clean_up(struct storage *storage, int64_t age_s, struct error *err)
{
    return storage->functions->clean_up(storage, age_s, err);
}

static inline int storage_upload_open(struct storage *storage, const char *key,
                                      enum storage_upload_mode mode, unsigned patience_ms,
                                      struct storage_upload **ret, struct error *err)
{
    return storage->functions->upload_open(storage, key, mode, patience_ms, ret, err);
}

static inline bool storage_dates_uploads(const struct storage *storage)
{
    return storage->functions->dates_uploads(storage);
}

static inline int storage_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                                      int64_t *ret_started_s, struct error *err)
{
    return storage->functions->upload_head(storage, key, ret_size, ret_started_s, err);
}

static inline int storage_upload_get_state(struct storage_upload *upload,
                                           struct storage_upload_state *ret, struct error *err)
{
    return upload->functions->upload_get_state(upload, ret, err);
}

static inline int storage_upload_reserve(struct storage_upload *upload, size_t size,
                                         enum storage_waiting waiting, struct error *err)
{
    return upload->functions->upload_reserve
               ? upload->functions->upload_reserve(upload, size, waiting, err)
               : 0;
}

static inline bool storage_upload_notify(struct storage_upload *upload, storage_ready *ready,
                                         void *object)
{
    return upload->functions->upload_notify &&
           upload->functions->upload_notify(upload, ready, object);
}

static inline int storage_upload_append(struct storage_upload *upload, uint64_t offset,
                                        const void *data, size_t size, struct error *err)
{
    return upload->functions->upload_append(upload, offset, data, size, err);
}

static inline bool storage_upload_would_wait(const struct storage_upload *upload, size_t size)
{
    return upload->functions->upload_would_wait(upload, size);
}

static inline int storage_upload_keep(struct storage_upload *upload, struct error *err)
{
    return upload->functions->upload_keep(upload, err);
}

static inline ssize_t storage_upload_read(struct storage_upload *upload, uint64_t offset,
                                          void *ret_data, size_t size)
{
    return upload->functions->upload_read(upload, offset, ret_data, size);
}

static inline int storage_upload_discard(struct storage_upload *upload, struct error *err)
{
    return upload->functions->upload_discard(upload, err);
}

static inline void storage_upload_close(struct storage_upload *upload)
{
    if (upload)
        upload->functions->upload_close(upload);
}

static inline int storage_claim(struct storage *storage, const char *prefix,
                                enum storage_claim_mode mode, unsigned patience_ms,
                                struct storage_claim **ret, struct error *err)
{
    return storage->functions->claim(storage, prefix, mode, patience_ms, ret, err);
}

static inline int storage_claim_check(struct storage_claim *claim, struct error *err)
{
    return claim->functions->claim_check(claim, err);
}

static inline void storage_claim_release(struct storage_claim *claim)
{
    if (claim)
        claim->functions->claim_release(claim);
}
