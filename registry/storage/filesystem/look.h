#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "common/macros.h"
#include "registry/storage/storage.h"

/* What a look at a file finds, in one system call. */
struct look {
    mode_t mode;
    uint64_t device, inode, size;
    struct timespec modified, changed;
    struct timespec born; /* zero where it is unknown */
};

/* As fstatat() with these flags: path "" with AT_EMPTY_PATH is fd itself. 0 or -errno. */
int look_at(int fd, const char *path, int flags, struct look *ret) MUST_USE;

/*
 * 0; -EISDIR for a directory, -ELOOP for a link, -ENXIO for anything else that is not a regular
 * file.
 */
int look_check_regular(const struct look *look) MUST_USE;

void look_describe(const struct look *look, struct storage_object *ret);
