#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define STORAGE_PRIVATE "private/"

/*
 * A place that keeps objects by key: the contract between core and a backend. docs/storage.md
 * explains it.
 *
 * A key is a relative path such as "repositories/alpine/_layers/sha256/<hex>/link"; a prefix is the
 * beginning of keys, up to and including a '/'. No key is also the beginning of others without that
 * '/'. Nothing here assumes directories, renames, modification times, or locks of one process.
 * Objects below STORAGE_PRIVATE hold secrets: where a backend has permissions, they are for the
 * server's user alone, and it keeps no copies of them in memory.
 *
 * Every function may be called from any thread, for a reader too; an upload or a claim by one
 * thread at a time. They return 0, negative with err filled (in words that name the key), or one of
 * these outcomes where the function names it:
 */
enum storage_outcome {
    STORAGE_NOT_FOUND = 1, /* there is no object at the key */
    STORAGE_CONFLICT,      /* a condition does not hold */
    STORAGE_WRONG_OFFSET,  /* the upload has another size */
    STORAGE_CLAIM_LOST,    /* the claim ended without its holder: nothing was written */
    STORAGE_WOULD_WAIT,    /* the caller must not wait, or has waited as long as it wanted to */
};

/*
 * Whether the caller's thread may wait for a network or a lock. Reading from the page cache is not
 * waiting.
 */
enum storage_waiting { STORAGE_MUST_NOT_WAIT, STORAGE_MAY_WAIT };

/*
 * Opaque; compared by storage_version_is_same(). It changes whenever a write replaces the object.
 */
struct storage_version {
    uint64_t words[6];
};

struct storage_object {
    uint64_t size; /* bytes */
    struct storage_version version;
};

/* One page of what lies directly below a prefix, by name. Free with storage_list_done(). */
struct storage_entry {
    bool is_prefix; /* something may lie below "<prefix><name>/" */
    char name[];    /* without a '/' */
};

struct storage_list {
    struct storage_entry **entries;
    size_t count;
    bool has_more;
};

enum storage_condition {
    STORAGE_ALWAYS,
    STORAGE_IF_ABSENT,
    STORAGE_IF_UNCHANGED, /* the key has the version of the step */
};

enum storage_step_kind {
    STORAGE_PUT,     /* key gets the bytes of data */
    STORAGE_PUBLISH, /* key gets what upload holds, if it is absent; the upload is used up */
    STORAGE_KEEP, /* the object at key is refreshed and durable; STORAGE_NOT_FOUND if there is none
                   */
    STORAGE_MARK, /* where prefixes are directories key, a prefix, becomes one; elsewhere nothing */
};

/* All borrowed. */
struct storage_step {
    enum storage_step_kind kind;
    const char *key;
    const void *data;
    size_t size;
    enum storage_condition condition; /* of STORAGE_PUT */
    struct storage_version version;
    struct storage_upload *upload;
};

/*
 * For remove_unused(): keys and prefixes that go together, or stay together if one of the witnesses
 * was created or refreshed lately. A missing witness does not count. All borrowed.
 */
struct storage_removal {
    const char *const *keys;
    size_t key_count;
    const char *const *witnesses;
    size_t witness_count;
    bool is_spared; /* set by remove_unused() */
};

/*
 * refresh() may rely on a promise that is this old already, so that a popular object is not written
 * to each time.
 */
enum { STORAGE_REFRESH_S = 60 };

enum storage_upload_mode {
    STORAGE_UPLOAD_NEW,    /* STORAGE_CONFLICT if there is one at the key */
    STORAGE_UPLOAD_RESUME, /* STORAGE_NOT_FOUND if there is none */
};

/* Of an upload. The version changes with every append, by whomever. */
struct storage_upload_state {
    uint64_t size; /* bytes */
    struct storage_version version;
};

enum storage_claim_mode { STORAGE_SHARED, STORAGE_ALONE };

/*
 * Reads that what the backend remembers could have answered: those that it did answer, and the
 * others.
 */
struct storage_cache_counters {
    uint64_t hits, misses;
};

/* A backend puts these at the head of structs of its own. */
struct storage {
    const struct storage_functions *functions;
};
struct storage_reader {
    const struct storage_functions *functions;
};
struct storage_upload {
    const struct storage_functions *functions;
};
struct storage_claim {
    const struct storage_functions *functions;
};

/* What a backend is. Callers use the storage_*() functions below. */
struct storage_functions {
    void (*close)(struct storage *storage);

    /* Whether the storage can be reached. */
    int (*check)(struct storage *storage, struct error *err);

    /* Seconds since 1970 by the storage's own clock. */
    int64_t (*now)(struct storage *storage);

    /* Since it was opened; zeros if the backend remembers nothing. */
    void (*count_cache)(struct storage *storage, struct storage_cache_counters *ret);

    /* --- reading ------------------------------------------------------------------------- */

    /* STORAGE_NOT_FOUND, STORAGE_WOULD_WAIT. */
    int (*head)(struct storage *storage, const char *key, enum storage_waiting waiting,
                struct storage_object *ret, struct error *err);

    /*
     * All of an object of at most limit bytes (-EFBIG for a larger one). *ret_bytes is the
     * caller's, free with free(); a NUL that *ret_size does not count follows. STORAGE_NOT_FOUND,
     * STORAGE_WOULD_WAIT.
     */
    int (*get)(struct storage *storage, const char *key, size_t limit, enum storage_waiting waiting,
               char **ret_bytes, size_t *ret_size, struct error *err);

    /*
     * Opens an object for ranged reads. The reader's bytes stay the same when the object is
     * replaced or removed. *ret is the caller's, free with reader_close(). STORAGE_NOT_FOUND,
     * STORAGE_WOULD_WAIT.
     */
    int (*open)(struct storage *storage, const char *key, enum storage_waiting waiting,
                struct storage_reader **ret, struct storage_object *ret_object, struct error *err);

    /*
     * Up to size bytes at offset; 0 at the end; or -errno. May wait if reader_get_fd() answers -1.
     */
    ssize_t (*reader_read)(struct storage_reader *reader, uint64_t offset, void *ret_data,
                           size_t size);
    int (*reader_get_fd)(
        struct storage_reader *reader); /* a file of the same bytes, borrowed; -1: there is none */
    void (*reader_close)(struct storage_reader *reader); /* takes NULL */

    /*
     * Up to limit (SIZE_MAX: all) objects and prefixes directly below prefix ("": everything),
     * whose names come after that one (NULL: from the first), ordered bytewise by name. Nothing
     * below is an empty list.
     */
    int (*list)(struct storage *storage, const char *prefix, const char *after, size_t limit,
                struct storage_list *ret, struct error *err);

    /* --- writing ------------------------------------------------------------------------- */

    /*
     * Makes the steps in their order; each is visible at once or not at all. After 0 all of them
     * survive a power failure. STORAGE_CONFLICT, STORAGE_NOT_FOUND or STORAGE_CLAIM_LOST (of an
     * upload): one step cannot be made; those before it were made, those after it were not. After a
     * failure, too, those before it may have been made. Waits.
     */
    int (*write)(struct storage *storage, const struct storage_step *steps, size_t count,
                 struct error *err);

    /*
     * Removes objects, and all objects below prefixes, in the order of their keys; a missing one is
     * no error. After 0 that survives a power failure. Waits.
     */
    int (*remove)(struct storage *storage, const char *const *keys, size_t count,
                  struct error *err);

    /* Removes the object if it has that version. STORAGE_NOT_FOUND, STORAGE_CONFLICT. Waits. */
    int (*remove_if_unchanged)(struct storage *storage, const char *key,
                               const struct storage_version *version, struct error *err);

    /*
     * Puts a small object that need not survive a power failure, and may be found empty after one.
     */
    int (*note)(struct storage *storage, const char *key, const void *data, size_t size,
                struct error *err);

    /* --- garbage collection -------------------------------------------------------------- */

    /*
     * head() of an object that the caller is going to rely on: remove_unused() spares it as if it
     * had been created now, or up to STORAGE_REFRESH_S ago. STORAGE_NOT_FOUND; STORAGE_WOULD_WAIT
     * while a removal is in progress; a caller that may wait waits two seconds before.
     */
    int (*refresh)(struct storage *storage, const char *key, enum storage_waiting waiting,
                   struct storage_object *ret, struct error *err);

    /*
     * Whether an object, or anything below a prefix, was created or refreshed at that moment
     * (now()) or later. STORAGE_NOT_FOUND. Waits.
     */
    int (*used_since)(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                      struct error *err);

    /*
     * When an object was created or refreshed last, in nanoseconds since 1970, as exactly as the
     * storage knows. To order objects for people, not to decide what is removed beside others.
     * STORAGE_NOT_FOUND. Waits.
     */
    int (*last_use)(struct storage *storage, const char *key, int64_t *ret_ns, struct error *err);

    /*
     * Removes what was neither created nor refreshed at that moment or later. To write() and
     * refresh() of any process each removal is one step. After 0 that survives a power failure.
     * Waits.
     */
    int (*remove_unused)(struct storage *storage, struct storage_removal *removals, size_t count,
                         int64_t moment_s, struct error *err);

    /*
     * Removes what crashes left at least age_s ago (0: all of it), none of which any key shows.
     * Waits.
     */
    int (*clean_up)(struct storage *storage, int64_t age_s, struct error *err);

    /* --- uploads ------------------------------------------------------------------------- */

    /*
     * Opens an upload and claims it, waiting up to patience_ms for another holder to let go (then
     * STORAGE_WOULD_WAIT). *ret is the caller's, free with upload_close(), which ends the claim.
     */
    int (*upload_open)(struct storage *storage, const char *key, enum storage_upload_mode mode,
                       unsigned patience_ms, struct storage_upload **ret, struct error *err);

    /* Its size when it was kept last, without a claim; or later. STORAGE_NOT_FOUND. */
    int (*upload_head)(struct storage *storage, const char *key, uint64_t *ret_size,
                       struct error *err);

    int (*upload_get_state)(struct storage_upload *upload, struct storage_upload_state *ret,
                            struct error *err);

    /*
     * Appends at offset, which is the upload's size. STORAGE_WRONG_OFFSET, STORAGE_CLAIM_LOST. If
     * it fails, nothing of data is in the upload. Does not wait for a disk.
     */
    int (*upload_append)(struct storage_upload *upload, uint64_t offset, const void *data,
                         size_t size, struct error *err);

    /*
     * Makes what was appended survive the end of the process, but perhaps not a power failure;
     * others see it in upload_head() from then on. To be called before a client is told that its
     * bytes have arrived. STORAGE_CLAIM_LOST. Waits.
     */
    int (*upload_keep)(struct storage_upload *upload, struct error *err);
    ssize_t (*upload_read)(struct storage_upload *upload, uint64_t offset, void *ret_data,
                           size_t size); /* or -errno */
    int (*upload_discard)(struct storage_upload *upload,
                          struct error *err);            /* removes it; close it then */
    void (*upload_close)(struct storage_upload *upload); /* takes NULL */

    /* --- claims -------------------------------------------------------------------------- */

    /*
     * Claims a prefix, shared with others or alone, in all processes on all hosts; waits up to
     * patience_ms, then STORAGE_WOULD_WAIT. New sharers do not overtake a waiter that wants to be
     * alone. STORAGE_NOT_FOUND if nothing is below the prefix, and mode is alone. A holder that
     * dies loses the claim after a bounded time. *ret is the caller's, free with claim_release().
     */
    int (*claim)(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
                 unsigned patience_ms, struct storage_claim **ret, struct error *err);

    /* 0, or STORAGE_CLAIM_LOST: to be asked right before the write that the claim is for. */
    int (*claim_check)(struct storage_claim *claim, struct error *err);
    void (*claim_release)(struct storage_claim *claim); /* takes NULL */
};

bool storage_version_is_same(const struct storage_version *a, const struct storage_version *b);

/* For backends: appends a copy of a name to a list that holds fewer than SIZE_MAX. 0 or -ENOMEM. */
int storage_list_add(struct storage_list *list, const char *name, size_t size, bool is_prefix);
void storage_list_done(struct storage_list *list);

/* --- calls: as the function of that name above ------------------------------------------- */

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

static inline void storage_count_cache(struct storage *storage, struct storage_cache_counters *ret)
{
    storage->functions->count_cache(storage, ret);
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

static inline ssize_t storage_reader_read(struct storage_reader *reader, uint64_t offset,
                                          void *ret_data, size_t size)
{
    return reader->functions->reader_read(reader, offset, ret_data, size);
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

static inline int storage_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                                      struct error *err)
{
    return storage->functions->upload_head(storage, key, ret_size, err);
}

static inline int storage_upload_get_state(struct storage_upload *upload,
                                           struct storage_upload_state *ret, struct error *err)
{
    return upload->functions->upload_get_state(upload, ret, err);
}

static inline int storage_upload_append(struct storage_upload *upload, uint64_t offset,
                                        const void *data, size_t size, struct error *err)
{
    return upload->functions->upload_append(upload, offset, data, size, err);
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
