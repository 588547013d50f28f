#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/macros.h"

/*
 * Access to paths below a directory without following symbolic links in any component: by openat2()
 * if the kernel supports it, otherwise component by component. A symbolic link fails with -ELOOP.
 * Callable from any thread.
 */

/*
 * Opens a path with flags (O_CLOEXEC and O_NOCTTY are added), and with mode if it is created.
 * Returns the descriptor or -errno.
 */
int beneath_open(int root_fd, const char *path, int flags, mode_t mode) MUST_USE;

/*
 * Opens a directory for reading and for the *at() calls; "" is the root itself. The path may end
 * with a '/'.
 */
int beneath_open_directory(int root_fd, const char *path) MUST_USE;

/*
 * Returns the length of the parent directory's part, including its final '/', of the first size
 * bytes of path.
 */
size_t beneath_parent_size(const char *path, size_t size);

/* Opens the parent directory of path; ret_name is the name in it, without a '/' at the end. */
struct beneath_name {
    char text[NAME_MAX + 1];
};
int beneath_open_parent(int root_fd, const char *path, struct beneath_name *ret_name) MUST_USE;

/*
 * Opens a regular file with flags, and never blocks on a FIFO or a device. -EISDIR for a directory,
 * -ENXIO for anything else that is not a regular file. *ret_stat describes the open file.
 */
int beneath_open_regular(int root_fd, const char *path, int flags, struct stat *ret_stat) MUST_USE;

/* For tests: whether to do without openat2(). */
void beneath_use_components(bool does);

/* Like stat(), but a symbolic link is -ELOOP. 0 or -errno. */
int beneath_stat(int root_fd, const char *path, struct stat *ret) MUST_USE;
