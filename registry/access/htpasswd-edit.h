#pragma once

#include <stddef.h>

#include "common/error.h"

/*
 * Changes the text of an htpasswd file, by the rules of htpasswd.h. Lines of other users stay
 * unchanged, byte by byte. Pure: from any thread. The result contains hashes: wipe it before
 * free().
 */
struct htpasswd_text {
    char *text; /* a NUL that size does not count follows */
    size_t size;
};

/* Wipes, frees and leaves it empty. */
void htpasswd_text_done(struct htpasswd_text *text);

enum { HTPASSWD_USER_MAX = 255 };

/*
 * Checks a name. Returns 0, or negative if it would mean something else in the file; -EMSGSIZE if
 * it is too long.
 */
int htpasswd_check_user(const char *user, struct error *err) MUST_USE;

enum { HTPASSWD_NO_SUCH_USER = 1 };

/*
 * Sets the hash in the user's lines, or appends a line. Returns 0, HTPASSWD_NO_SUCH_USER if a line
 * was appended, or -ENOMEM. *ret is written unless the result is negative.
 */
int htpasswd_text_set(const struct htpasswd_text *before, const char *user, const char *hash,
                      struct htpasswd_text *ret) MUST_USE;

/* Removes the user's lines. 0, HTPASSWD_NO_SUCH_USER (*ret is not written), or -ENOMEM. */
int htpasswd_text_remove(const struct htpasswd_text *before, const char *user,
                         struct htpasswd_text *ret) MUST_USE;

/*
 * The first line that has no ':', is not empty and no comment, from 1; 0: none, so this may well be
 * such a file.
 */
size_t htpasswd_text_find_stranger(const struct htpasswd_text *text) MUST_USE;
