#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/macros.h"

/* All of these return 0 or -errno. */

/* Writes all of data to fd. */
int file_write_all(int fd, const void *data, size_t size) MUST_USE;

/*
 * Reads fd to its end, at most limit bytes (-EFBIG if there are more). *ret_text is owned by the
 * caller, free with free(); a NUL follows the bytes, which *ret_size does not count.
 */
int file_read_all(int fd, size_t limit, char **ret_text, size_t *ret_size) MUST_USE;

/* The mode of a new file: whatever the umask leaves of 0666. */
#define FILE_MODE_DEFAULT ((mode_t)-1)

/*
 * First half of a safe write: creates the file directory_fd/name with data, and syncs it to disk.
 * The name must not exist (-EEXIST). On failure no file is left. Second half: renameat() over the
 * final name, then file_sync_directory().
 */
int file_write_temporary(int directory_fd, const char *name, mode_t mode, const void *data,
                         size_t size) MUST_USE;

/*
 * Like file_write_temporary(), for file systems that refuse to change modes (Windows drives in WSL,
 * CIFS, vfat): the file then gets what the umask leaves of 0666.
 */
int file_write_temporary_leniently(int directory_fd, const char *name, mode_t mode,
                                   const void *data, size_t size) MUST_USE;

/*
 * Whether an open directory or file is append-only or immutable (chattr +a, +i): names in the
 * directory, or the file, can then not be removed or replaced. False if the file system does not
 * support these flags.
 */
bool file_is_append_only(int fd);

/* Syncs the names in a directory to disk, so that they survive a power failure. */
int file_sync_directory(int directory_fd) MUST_USE;

/* Opens a directory for reading and for the *at() calls. Returns the fd or -errno. */
int file_open_directory(int directory_fd, const char *path) MUST_USE;

/* The same, but refuses a symbolic link (-ENOTDIR or -ELOOP, depending on the system). */
int file_open_real_directory(int directory_fd, const char *name) MUST_USE;

/*
 * Opens a regular file for reading and follows links. Returns the fd, -EINVAL for anything else (a
 * pipe, a device, a directory), or -errno. Never blocks. *ret_stat (may be NULL) describes the open
 * file.
 */
int file_open_regular(int directory_fd, const char *path, struct stat *ret_stat) MUST_USE;

/*
 * Resolves the links of a path to a file, which need not exist yet. *ret is owned by the caller,
 * free with free(). -ELOOP if the links form a circle.
 */
int file_follow_links(const char *path, char **ret) MUST_USE;
