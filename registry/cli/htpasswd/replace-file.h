#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/error.h"

/*
 * A file that is to be replaced as a whole: whoever reads it sees the old one or the new one. Symbolic links are
 * followed, so that the file itself is replaced. From open to done another program that does the same to a file of this
 * folder waits, where the file system has locks, and so do SIGINT, SIGTERM, SIGHUP and SIGQUIT. On the main thread.
 *
 *     CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
 */
struct replacement {
    int folder_fd;
    char *path;       /* the file itself, for messages */
    const char *name; /* its last part; points into path */
    bool exists;
    struct stat old; /* valid if it exists */
    bool is_masked;
    sigset_t mask;
};

#define REPLACEMENT_NONE {.folder_fd = -1}

/* 0, or negative: no such folder, no regular file, not ours to write. That the file does not exist is no failure. */
int replacement_open(const char *path, struct replacement *ret, struct error *err) MUST_USE;

/* Reads the file that is there, at most limit bytes. *ret_text is owned by the caller, free() (see file_read_all()). */
int replacement_read(const struct replacement *file, size_t limit, char **ret_text, size_t *ret_size,
                     struct error *err) MUST_USE;

/* Puts data in its place, with owner, group, mode and access list of the old file; mode is for one that was not there. */
int replacement_write(const struct replacement *file, mode_t mode, const void *data, size_t size,
                      struct error *err) MUST_USE;

/* Takes what was only half opened, too. A signal that waited comes now. */
void replacement_done(struct replacement *file);
