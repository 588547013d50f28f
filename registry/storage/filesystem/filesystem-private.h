#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "registry/storage/filesystem/beneath.h"
#include "registry/storage/filesystem/known-files.h"
#include "registry/storage/filesystem/look.h"
#include "registry/storage/filesystem/filesystem.h"

/* What the files of the filesystem backend share. */

/*
 * The directory of temporary files and locks. It is at the root, so that a crash leaves no partial
 * file among the objects.
 */
#define FILESYSTEM_TEMPORARY "_temporary"
#define FILESYSTEM_CLAIMS "claims" /* a directory in it */

enum { FILESYSTEM_FILE_MODE = 0644, FILESYSTEM_DIRECTORY_MODE = 0755 };

/*
 * Whether the key, or the path of a directory, is below STORAGE_PRIVATE. If so, its mode is the
 * usual one masked with FILESYSTEM_PRIVATE.
 */
enum { FILESYSTEM_PRIVATE = 0700 };
bool filesystem_is_private(const char *key);

struct filesystem {
    struct storage storage;
    int root_fd; /* of docker/registry/v2 */
    int lock_fd; /* of the root directory that the user named */
    char *root_directory;
    char *root; /* the path of root_fd, for messages */
    /* NULL if stat() may return outdated values. */
    struct content_cache *contents;
    struct known_files *known;
    struct directory_cache *directories;
};

struct filesystem_upload {
    struct storage_upload upload;
    struct filesystem *filesystem;
    int fd;           /* its lock is the claim */
    uint64_t flushed; /* the kernel was told to write the bytes before this offset to disk */
    char key[];
};

/*
 * Fills err with "cannot <verb> <path>: ..." and, for a link or a special file, with what to do
 * about it. Returns -code.
 */
int filesystem_fail(const struct filesystem *filesystem, int code, const char *verb,
                    const char *key, struct error *err);

/*
 * Whether an errno means that the object is missing: its name or a directory above it does not
 * exist, or one of these directories is a file.
 */
bool filesystem_is_missing(int code);

/* Like pread(2), but restarted after a signal; -errno on failure. */
ssize_t filesystem_pread(int fd, uint64_t offset, void *ret_data, size_t size);

/* Stats the regular file at key without following links. 0 or -errno, as look_check_regular(). */
int filesystem_look(const struct filesystem *filesystem, const char *key,
                    struct look *ret) MUST_USE;

/* Size and version of an open file (O_PATH will do). 0 or -errno. */
int filesystem_describe(int fd, struct storage_object *ret) MUST_USE;

/*
 * Opens the parent directory of key and creates missing directories; calls created (may be NULL)
 * for each of those. ret_name is the name in the parent directory. Returns the descriptor or
 * -errno.
 */
typedef int filesystem_created_function(void *object, const char *key, size_t size);
int filesystem_make_parent(const struct filesystem *filesystem, const char *key,
                           struct beneath_name *ret_name, filesystem_created_function *created,
                           void *object) MUST_USE;

/* Like renameat(), but fails with -EEXIST if the new name exists. 0 or -errno. */
int filesystem_rename_new(int from_fd, const char *from, int to_fd, const char *to) MUST_USE;

/*
 * Opens the directory of temporary files, and creates it if it is missing. Returns the descriptor
 * or -errno.
 */
int filesystem_open_temporary(const struct filesystem *filesystem) MUST_USE;

/*
 * Tries flock() until it succeeds or the deadline (by monotonic_ms()) has passed, which is -EAGAIN.
 * 0 or -errno.
 */
int filesystem_lock(int fd, int operation, int64_t deadline_ms) MUST_USE;

/*
 * Blocks remove_unused() until the returned descriptor is closed, which must be soon. An
 * exclusive guard also blocks all other callers of this function. Returns the descriptor, or
 * -errno; -EAGAIN after patience_ms.
 */
enum { FILESYSTEM_NO_DEADLINE = 1 << 30 };
enum filesystem_guard { FILESYSTEM_GUARD_SHARED, FILESYSTEM_GUARD_EXCLUSIVE };
int filesystem_guard(const struct filesystem *filesystem, enum filesystem_guard kind,
                     unsigned patience_ms) MUST_USE;

/*
 * Removes a file, or a directory with its contents. Files that others add at the same time stay. 0
 * or -errno.
 */
int filesystem_remove_tree(int directory_fd, const char *name) MUST_USE;

/* Syncs the parent directory of key, if it exists. 0 or -errno. */
int filesystem_sync_parent(const struct filesystem *filesystem, const char *key) MUST_USE;

/* --- the functions of the table ---------------------------------------------------------- */

int filesystem_head(struct storage *storage, const char *key, enum storage_waiting waiting,
                    struct storage_object *ret, struct error *err);
int filesystem_get(struct storage *storage, const char *key, size_t limit,
                   enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                   struct error *err);
int filesystem_open_reader(struct storage *storage, const char *key, enum storage_waiting waiting,
                           struct storage_reader **ret, struct storage_object *ret_object,
                           struct error *err);
ssize_t filesystem_reader_read(struct storage_reader *reader, uint64_t offset, void *ret_data,
                               size_t size, enum storage_waiting waiting);
void filesystem_reader_wait(struct storage_reader *reader);
int filesystem_reader_get_fd(struct storage_reader *reader);
void filesystem_reader_close(struct storage_reader *reader);
int filesystem_list(struct storage *storage, const char *prefix, const char *after, size_t limit,
                    struct storage_list *ret, struct error *err);

int filesystem_write(struct storage *storage, const struct storage_step *steps, size_t count,
                     struct error *err);
int filesystem_remove(struct storage *storage, const char *const *keys, size_t count,
                      struct error *err);
int filesystem_remove_if_unchanged(struct storage *storage, const char *key,
                                   const struct storage_version *version, struct error *err);
int filesystem_note(struct storage *storage, const char *key, const void *data, size_t size,
                    struct error *err);

int filesystem_refresh(struct storage *storage, const char *key, enum storage_waiting waiting,
                       struct storage_object *ret, struct error *err);
int filesystem_used_since(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                          struct error *err);
int filesystem_last_use(struct storage *storage, const char *key, int64_t *ret_ns,
                        struct error *err);
int filesystem_remove_unused(struct storage *storage, struct storage_removal *removals,
                             size_t count, int64_t moment_s, struct error *err);
int filesystem_clean_up(struct storage *storage, int64_t age_s, struct error *err);

int filesystem_upload_open(struct storage *storage, const char *key, enum storage_upload_mode mode,
                           unsigned patience_ms, struct storage_upload **ret, struct error *err);
bool filesystem_dates_uploads(const struct storage *storage);
int filesystem_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                           int64_t *ret_started_s, struct error *err);
int filesystem_upload_get_state(struct storage_upload *upload, struct storage_upload_state *ret,
                                struct error *err);
int filesystem_upload_append(struct storage_upload *upload, uint64_t offset, const void *data,
                             size_t size, struct error *err);
int filesystem_upload_keep(struct storage_upload *upload, struct error *err);
ssize_t filesystem_upload_read(struct storage_upload *upload, uint64_t offset, void *ret_data,
                               size_t size);
int filesystem_upload_discard(struct storage_upload *upload, struct error *err);
bool filesystem_upload_would_wait(const struct storage_upload *upload, size_t size);
void filesystem_upload_close(struct storage_upload *upload);

int filesystem_claim(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
                     unsigned patience_ms, struct storage_claim **ret, struct error *err);
int filesystem_claim_check(struct storage_claim *claim, struct error *err);
void filesystem_claim_release(struct storage_claim *claim);
