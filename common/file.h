#pragma once

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/macros.h"

/* All of these return 0 or -errno. */

/* Writes all of data to fd. */
int file_write_all(int fd, const void *data, size_t size) MUST_USE;

/*
 * Reads fd to its end, at most limit bytes (more is -EFBIG). *ret_text is owned by the caller,
 * free with free(); a NUL that *ret_size does not count follows the bytes.
 */
int file_read_all(int fd, size_t limit, char **ret_text, size_t *ret_size) MUST_USE;

/* The mode of a new file: whatever the umask leaves of 0666. */
#define FILE_MODE_DEFAULT ((mode_t)-1)

/*
 * First half of a safe write: makes the new file folder_fd/name holding data, and syncs it to
 * disk. The name must not exist (-EEXIST). On failure nothing is left behind. Second half:
 * renameat() over the final name, then file_sync_folder() of its folder.
 */
int file_write_temporary(int folder_fd, const char *name, mode_t mode, const void *data, size_t size) MUST_USE;

/* Makes the names in a folder survive a power failure. */
int file_sync_folder(int folder_fd) MUST_USE;

/* Opens a folder for reading it and for the *at() calls; the fd is the result (or -errno). */
int file_open_folder(int folder_fd, const char *path) MUST_USE;

/* Likewise one that is no link (-ENOTDIR or -ELOOP, by the system's taste): what is done below it is done there. */
int file_open_real_folder(int folder_fd, const char *name) MUST_USE;

/*
 * Opens a regular file for reading, links followed; the fd is the result, -EINVAL for anything else (a pipe, a
 * device, a folder), or -errno. Never waits, whatever it turns out to be. *ret_stat (which may be NULL) is of the open file.
 */
int file_open_regular(int folder_fd, const char *path, struct stat *ret_stat) MUST_USE;

/*
 * The path of the file that path means, links followed, also to one that is yet to be made. *ret is owned by the caller,
 * free with free(). -ELOOP where links go in a circle.
 */
int file_follow_links(const char *path, char **ret) MUST_USE;
