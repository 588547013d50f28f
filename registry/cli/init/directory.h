#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"

/*
 * Creates a directory atomically: under a temporary name, which is changed when everything in it is
 * on disk.
 */
struct init_directory {
    char *path;      /* absolute */
    char *temporary; /* absolute; NULL once it was renamed */
    int fd;
};
#define INIT_DIRECTORY_NONE {.fd = -1}

/* Refuses a path that exists, unless it is an empty directory. 0 or negative. */
int init_directory_begin(const char *path, struct init_directory *ret, struct error *err) MUST_USE;

/*
 * Add a directory or a file. A file may be in a directory that was added. The umask does not affect
 * the mode. 0 or negative.
 */
int init_directory_add_directory(struct init_directory *directory, const char *name, mode_t mode,
                                 struct error *err) MUST_USE;
int init_directory_add_file(struct init_directory *directory, const char *name, mode_t mode,
                            const void *data, size_t size, struct error *err) MUST_USE;

/*
 * Renames the directory and gives it mode 0755, so that the server's user can reach its files in
 * it. 0 or negative.
 */
int init_directory_finish(struct init_directory *directory, struct error *err) MUST_USE;

/* Removes the directory unless it was finished. */
void init_directory_done(struct init_directory *directory);
