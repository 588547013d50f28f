#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/error.h"

/*
 * Replaces a file as a whole: readers see the old file or the new one. Symbolic links are followed,
 * so that the file itself is replaced. From replacement_open() to replacement_done(), a lock makes
 * other programs that do the same in this directory wait (if the file system supports locks), and
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT are blocked. For the main thread only.
 *
 *     CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
 */
struct replacement {
    int directory_fd;
    char *path;       /* the file itself, for messages */
    const char *name; /* the last component; points into path */
    bool exists;
    /* a file that gives a new file its owner, mode and access control list; borrowed; or NULL */
    const char *model;
    struct stat old;   /* of the file, or of the model if there is no file */
    bool is_masked;
    sigset_t mask;
};

#define REPLACEMENT_NONE {.directory_fd = -1}

/*
 * Returns 0, or negative if the directory is missing, or the file is not regular or not writable. A
 * missing file is not an error.
 */
int replacement_open(const char *path, struct replacement *ret, struct error *err) MUST_USE;

/*
 * Gives a new file the owner, mode and access control list of the file at path (borrowed), if that
 * exists.
 */
void replacement_set_model(struct replacement *file, const char *path);

/*
 * Reads the existing file, at most limit bytes. *ret_text is owned by the caller, free() (see
 * file_read_all()).
 */
int replacement_read(const struct replacement *file, size_t limit, char **ret_text,
                     size_t *ret_size, struct error *err) MUST_USE;

/*
 * Writes data, and keeps the old file's owner, group, mode and access control list. A new file gets
 * mode.
 */
int replacement_write(const struct replacement *file, mode_t mode, const void *data, size_t size,
                      struct error *err) MUST_USE;

/* Unblocks the signals and frees everything. Call it also after a failed replacement_open(). */
void replacement_done(struct replacement *file);
