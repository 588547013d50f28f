#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "common/macros.h"
#include "registry/storage/storage.h"

/* The properties of a file that the backend needs; one system call finds them. */
struct look {
    mode_t mode;
    uint64_t device, inode, size;
    struct timespec modified, changed;
    struct timespec born; /* zero where it is unknown */
};

/* Like fstatat() with these flags; with AT_EMPTY_PATH the path "" is fd itself. 0 or -errno. */
int look_at(int fd, const char *path, int flags, struct look *ret) MUST_USE;

/*
 * Returns 0 for a regular file, -EISDIR for a directory, -ELOOP for a link, and -ENXIO for anything
 * else.
 */
int look_check_regular(const struct look *look) MUST_USE;

void look_describe(const struct look *look, struct storage_object *ret);
