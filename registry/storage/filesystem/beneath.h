#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/macros.h"

/*
 * Paths below a directory, of which no component is followed if it is a symbolic link: with
 * openat2() where the kernel has it, otherwise component by component. A link is -ELOOP. From any
 * thread.
 */

/*
 * Opens a path with flags (O_CLOEXEC and O_NOCTTY are added) and, if they create it, mode. The
 * descriptor or -errno.
 */
int beneath_open(int root_fd, const char *path, int flags, mode_t mode) MUST_USE;

/*
 * Opens a directory for reading it and for the *at() calls; "" is the root itself. A '/' at the end
 * does not matter.
 */
int beneath_open_directory(int root_fd, const char *path) MUST_USE;

/*
 * How many of the first size bytes of path are the directory that they lie in, with the '/' at its
 * end.
 */
size_t beneath_parent_size(const char *path, size_t size);

/* Opens the directory that path lies in; ret_name is the name in it, without a '/' at the end. */
struct beneath_name {
    char text[NAME_MAX + 1];
};
int beneath_open_parent(int root_fd, const char *path, struct beneath_name *ret_name) MUST_USE;

/*
 * Opens a regular file with flags, never waiting for what a FIFO or a device waits for. -EISDIR for
 * a directory, -ENXIO for everything else that is not a regular file. *ret_stat is of the open
 * file.
 */
int beneath_open_regular(int root_fd, const char *path, int flags, struct stat *ret_stat) MUST_USE;

/* For tests: does without openat2(), or with it. */
void beneath_use_components(bool does);

/* As stat(); a link is -ELOOP. 0 or -errno. */
int beneath_stat(int root_fd, const char *path, struct stat *ret) MUST_USE;
