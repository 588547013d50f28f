#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/error.h"

/*
 * Reads files that people and programs change while the server runs: users, rules. Any thread may
 * call these functions.
 */

enum { WATCHED_FILE_MAX = 16 << 20 }; /* bytes; a larger file is refused */

/* Differs from an earlier stamp if the file has changed or can no longer be read. */
struct file_stamp {
    int error; /* of stat(2); 0: the rest is valid */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

void file_stamp_take(const char *path, struct file_stamp *ret);
bool file_stamp_is_equal(const struct file_stamp *a, const struct file_stamp *b);

/*
 * Whether the file changed so recently that its next change may get the same stamp. Some file
 * systems store times in steps of one or two seconds.
 */
bool file_stamp_is_fresh(const struct file_stamp *stamp);

struct file_content {
    char *text;
    size_t size;
    bool is_public; /* every user of the machine may read the file */
    bool is_open;   /* every user of the machine may write to it */
    /* it changed in the last two seconds, and is empty or ends without a newline */
    bool is_unfinished;
    struct file_stamp stamp;
};

/* Wipes and frees the text, which may contain hashes. */
void file_content_done(struct file_content *content);

/*
 * Reads the whole file. If it is being written, waits up to a tenth of a second until it is
 * complete. 0 with *ret owned by the caller (file_content_done()), or negative.
 */
int watched_file_read(const char *path, struct file_content *ret, struct error *err) MUST_USE;
