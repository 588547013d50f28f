#pragma once

#include <stddef.h>

#include "common/error.h"

/*
 * Changes the text of an htpasswd file, by the rules of htpasswd.h. Lines of other users stay the
 * same, byte by byte. Pure. The result contains hashes: free it with htpasswd_text_done().
 */
struct htpasswd_text {
    char *text; /* NUL-terminated; size does not count the NUL */
    size_t size;
};

/* Wipes, frees and leaves it empty. */
void htpasswd_text_done(struct htpasswd_text *text);

enum { HTPASSWD_USER_MAX = 255 };

/*
 * Checks a user name. Returns 0, -EMSGSIZE if it is too long, or another negative value if it would
 * have another meaning in the file.
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
 * Returns the number, from 1, of the first line that is not "user:hash", a comment or empty. 0:
 * there is none, so the text may be an htpasswd file.
 */
size_t htpasswd_text_find_stranger(const struct htpasswd_text *text) MUST_USE;
