#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/error.h"

/* The htpasswd file on disk, which others change while it is read. From any thread. */

enum { HTPASSWD_FILE_MAX = 16 << 20 }; /* bytes; a larger file is refused */

/* What tells that the file is another one now, or that it cannot be reached. */
struct htpasswd_stamp {
    int error; /* of stat(2); 0: the rest is valid */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

void htpasswd_stamp_take(const char *path, struct htpasswd_stamp *ret);
bool htpasswd_stamp_is_equal(const struct htpasswd_stamp *a, const struct htpasswd_stamp *b);

/*
 * Whether the file was changed so short a time ago that the next change may bear the same time: there
 * are file systems that count whole seconds, or two.
 */
bool htpasswd_stamp_is_fresh(const struct htpasswd_stamp *stamp);

struct htpasswd_content {
    char *text;
    size_t size;
    bool is_public;     /* everybody may read it */
    bool is_open;       /* everybody may write to it */
    bool is_unfinished; /* it looks like one that somebody has begun to write, and was changed in the last two seconds */
    struct htpasswd_stamp stamp;
};

/*
 * Reads the whole file; where somebody is just writing it, waits up to a tenth of a second for him.
 * 0 with *ret (its text is owned by the caller, free()), or negative.
 */
int htpasswd_file_read(const char *path, struct htpasswd_content *ret, struct error *err) MUST_USE;
