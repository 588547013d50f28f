#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "common/macros.h"

struct directory_name {
    unsigned char type; /* the kernel's d_type; directory_names_get_kind() answers it better */
    char text[];
};

/* The names in a directory, sorted bytewise, without "." and "..". */
struct directory_names {
    struct directory_name **names;
    size_t count;
};

/*
 * Reads the names of the directory open at fd, from its current position on. 0 with *ret owned by
 * the caller (directory_names_done), or -errno.
 */
int directory_names_read(int fd, struct directory_names *ret) MUST_USE;
void directory_names_done(struct directory_names *names);

/* S_IFREG or S_IFDIR, after following links; 0 for anything else, which includes dangling links. */
mode_t directory_names_get_kind(const struct directory_names *names, size_t i, int fd);
