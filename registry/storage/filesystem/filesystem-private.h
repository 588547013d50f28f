#pragma once

#include <sys/stat.h>

#include "registry/storage/filesystem/filesystem.h"

/* What the files of the filesystem driver share. */

/* Temporary files; at the root, so that a crash leaves nothing half-made between what others read. */
#define FILESYSTEM_TEMPORARY "_temporary"

enum { FILESYSTEM_FILE_MODE = 0644, FILESYSTEM_FOLDER_MODE = 0755 };

struct filesystem {
    struct driver driver;
    int root_fd; /* of docker/registry/v2 */
    int lock_fd; /* of the user's root folder */
    char *root;  /* the path of root_fd, absolute if the user's is */
    /* NULL where a stamp may be of before. */
    struct content_cache *contents;
    struct folder_cache *folders;
};

struct filesystem_session {
    struct driver_session session;
    struct filesystem *filesystem;
    int fd;
    uint64_t flushed; /* up to here the kernel was told to write to disk */
    char key[];
};

/* error_set_errno() with the key's path: "cannot <verb> <path>: ...". */
int filesystem_fail(const struct filesystem *filesystem, int code, const char *verb, const char *key,
                    struct error *err);

/* pread(2) that a signal does not end; -errno on failure. */
ssize_t filesystem_pread(int fd, uint64_t offset, void *ret_data, size_t size);

/* Makes the folders of key before its last '/'; told of each one made (may be NULL). 0 or -errno. */
typedef int filesystem_made_function(void *object, const char *key, size_t size);
int filesystem_make_parents(const struct filesystem *filesystem, const char *key, filesystem_made_function *made,
                            void *object) MUST_USE;

int filesystem_stat(struct driver *driver, const char *key, struct driver_stat *ret, struct error *err);
int filesystem_read(struct driver *driver, const char *key, size_t limit, char **ret_bytes, size_t *ret_size,
                    struct error *err);
int filesystem_open_reader(struct driver *driver, const char *key, struct driver_reader **ret, struct error *err);
ssize_t filesystem_reader_read(struct driver_reader *reader, uint64_t offset, void *ret_data, size_t size);
int filesystem_reader_get_fd(struct driver_reader *reader);
void filesystem_reader_close(struct driver_reader *reader);
int filesystem_list(struct driver *driver, const char *key, struct folder_names *ret, struct error *err);
int filesystem_list_after(struct driver *driver, const char *key, const char *after, size_t n, struct folder_names *ret,
                          struct error *err);

int filesystem_publish(struct driver *driver, const struct driver_change *changes, size_t count, struct error *err);
int filesystem_remove(struct driver *driver, const char *const *keys, size_t count, struct error *err);
int filesystem_clean(struct driver *driver, int64_t age_s, struct error *err);

int filesystem_want(struct driver *driver, const char *key, unsigned patience_ms, struct driver_stat *ret,
                    struct error *err);
int filesystem_remove_unwanted(struct driver *driver, struct driver_removal *removals, size_t count, int64_t before_s,
                               struct error *err);

/* Opens the folder of temporary files, which is made if need be. The descriptor or -errno. */
int filesystem_open_temporary(const struct filesystem *filesystem) MUST_USE;

/*
 * Keeps remove_unwanted() out until the descriptor is closed, which is to be soon. The descriptor, or -errno; -EAGAIN
 * after patience_ms.
 */
int filesystem_guard(const struct filesystem *filesystem, unsigned patience_ms) MUST_USE;

/* Numbers of files are used again, sizes tell some of these apart. */
static inline uint64_t filesystem_identify(const struct stat *st)
{
    return (uint64_t)st->st_ino * 0x9E3779B97F4A7C15u + (uint64_t)st->st_size;
}

/* Removes a file or a folder with all that is in it. What others remove or add meanwhile is theirs. 0 or -errno. */
int filesystem_remove_tree(int folder_fd, const char *name) MUST_USE;

/* Syncs the folder that key lies in, if there is one. 0 or -errno. */
int filesystem_sync_parent(const struct filesystem *filesystem, const char *key) MUST_USE;

int filesystem_session_open(struct driver *driver, const char *key, struct driver_session **ret, uint64_t *ret_size,
                            struct error *err);
int filesystem_session_append(struct driver_session *session, uint64_t offset, const void *data, size_t size,
                              struct error *err);
ssize_t filesystem_session_read(struct driver_session *session, uint64_t offset, void *ret_data, size_t size);
void filesystem_session_close(struct driver_session *session);
int filesystem_note(struct driver *driver, const char *key, const void *data, size_t size, struct error *err);
