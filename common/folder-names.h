#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "common/macros.h"

struct folder_name {
    unsigned char type; /* the kernel's d_type; folder_names_get_kind() answers it better */
    char text[];
};

/* The names in a directory, sorted bytewise, without "." and "..". */
struct folder_names {
    struct folder_name **names;
    size_t count;
};

/*
 * Reads the directory open at fd from its current position to the end. 0 with *ret owned by the caller
 * (folder_names_done), or -errno.
 */
int folder_names_read(int fd, struct folder_names *ret) MUST_USE;
void folder_names_done(struct folder_names *names);

/* S_IFREG or S_IFDIR, links followed; 0 for anything else, dangling links among them. */
mode_t folder_names_get_kind(const struct folder_names *names, size_t i, int fd);
