#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/error.h"

/*
 * Replaces a file as a whole: readers see the old one or the new one. Symbolic links are followed, so that the file itself is
 * replaced. From open to done, another program that does the same in this directory waits (if the file system supports locks),
 * and so do SIGINT, SIGTERM, SIGHUP and SIGQUIT. On the main thread.
 *
 *     CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
 */
struct replacement {
    int directory_fd;
    char *path;       /* the file itself, for messages */
    const char *name; /* its last part; points into path */
    bool exists;
    const char *model; /* borrowed; a file whose owner, mode and access list a new file gets; or NULL */
    struct stat old;   /* of the file, or of the model if there is no file */
    bool is_masked;
    sigset_t mask;
};

#define REPLACEMENT_NONE {.directory_fd = -1}

/* 0, or negative: no such directory, not a regular file, not writable. A missing file is not an error. */
int replacement_open(const char *path, struct replacement *ret, struct error *err) MUST_USE;

/* A new file is to have the owner, mode and access list of the file at path (borrowed), if that exists. */
void replacement_set_model(struct replacement *file, const char *path);

/* Reads the existing file, at most limit bytes. *ret_text is owned by the caller, free() (see file_read_all()). */
int replacement_read(const struct replacement *file, size_t limit, char **ret_text, size_t *ret_size,
                     struct error *err) MUST_USE;

/* Writes data with owner, group, mode and access list of the old file; mode is for a new file. */
int replacement_write(const struct replacement *file, mode_t mode, const void *data, size_t size,
                      struct error *err) MUST_USE;

/* Also for a half-opened one. Signals that waited are delivered now. */
void replacement_done(struct replacement *file);
