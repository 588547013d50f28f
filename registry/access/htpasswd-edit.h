#pragma once

#include <stddef.h>

#include "common/error.h"

/*
 * Changes to the text of an htpasswd file, by the rules that htpasswd.h reads it with. Every line that is not of
 * the user stays as it is, to the byte. Pure: from any thread. What is made holds hashes: wipe it before free().
 */
struct htpasswd_text {
    char *text; /* a NUL that size does not count follows */
    size_t size;
};

/* Wipes, frees and leaves it empty. */
void htpasswd_text_done(struct htpasswd_text *text);

enum { HTPASSWD_USER_MAX = 255 };

/* 0, or negative for a name that would be something else in the file: -EMSGSIZE where it is too long. */
int htpasswd_check_user(const char *user, struct error *err) MUST_USE;

enum { HTPASSWD_NO_SUCH_USER = 1 };

/*
 * Gives the user's lines this hash; without one appends a line. HTPASSWD_NO_SUCH_USER where it was
 * appended, 0 where there was one, or -ENOMEM. *ret is written unless it is negative.
 */
int htpasswd_text_set(const struct htpasswd_text *before, const char *user, const char *hash,
                      struct htpasswd_text *ret) MUST_USE;

/* Leaves the user's lines out. 0, HTPASSWD_NO_SUCH_USER (nothing is written to *ret), or -ENOMEM. */
int htpasswd_text_remove(const struct htpasswd_text *before, const char *user, struct htpasswd_text *ret) MUST_USE;

/* The first line that has no ':', is not empty and no comment, from 1; 0: none, so this may well be such a file. */
size_t htpasswd_text_find_stranger(const struct htpasswd_text *text) MUST_USE;
