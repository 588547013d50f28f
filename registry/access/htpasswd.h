#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "registry/access/bcrypt.h"

/*
 * Parses the text of an htpasswd file by registry:2's rules: lines "user:hash" without white space
 * around them. Empty lines and comments (#) are skipped, the last line of a user counts, and text
 * after the 60 characters of the hash is ignored. Unlike in registry:2, a line without ':' does not
 * affect other lines. A byte order mark at the beginning is skipped.
 *
 * A table never changes, so any thread may read it; references are counted.
 */
struct htpasswd;

enum { HTPASSWD_USERS_MAX = 1000000 };

/*
 * A mistake in a line. Messages give the number of the line, never its text, because it may contain
 * a password.
 */
enum htpasswd_flaw_kind {
    HTPASSWD_NO_COLON,   /* skipped */
    HTPASSWD_NOT_BCRYPT, /* the user exists and can never log in */
    HTPASSWD_SLOW,       /* a check takes many seconds */
};

enum { HTPASSWD_FLAWS_MAX = 16 };

struct htpasswd_flaws {
    struct htpasswd_flaw {
        enum htpasswd_flaw_kind kind;
        size_t line; /* from 1 */
    } first[HTPASSWD_FLAWS_MAX];
    size_t count; /* may be larger than the array */
};

struct htpasswd_user {
    const char *name; /* not NUL-terminated; any bytes except ':' and newlines */
    size_t name_size;
    const char *hash; /* BCRYPT_SIZE characters, not NUL-terminated; NULL: no password matches */
    unsigned cost;
    size_t line;
};

/*
 * Parses text, which must come from malloc(). 0 with *ret owned by the caller (htpasswd_unref); the
 * table takes ownership of text. On failure the text stays the caller's: -E2BIG for more than
 * HTPASSWD_USERS_MAX lines with users, or -ENOMEM.
 */
int htpasswd_parse(char *text, size_t size, struct htpasswd **ret) MUST_USE;

struct htpasswd *htpasswd_ref(struct htpasswd *table);
void htpasswd_unref(struct htpasswd *table); /* the last call wipes the table; accepts NULL */
void htpasswd_unrefp(struct htpasswd **table);

/* Returns NULL for an unknown user. Valid as long as the table. */
const struct htpasswd_user *htpasswd_find(const struct htpasswd *table, const void *name,
                                          size_t size);

/* The highest cost of any hash; 0 if no user can log in. */
unsigned htpasswd_highest_cost(const struct htpasswd *table);

/* The most frequent cost, the lower one of two; 0 if no user can log in. */
unsigned htpasswd_usual_cost(const struct htpasswd *table);

/* The number of users, including those who can never log in. */
size_t htpasswd_count(const struct htpasswd *table);

const struct htpasswd_flaws *htpasswd_get_flaws(const struct htpasswd *table);

/* The text for the operator: "the line has no ':' ...". */
const char *htpasswd_flaw_text(enum htpasswd_flaw_kind kind);

/* Whether the table was made from this text. */
bool htpasswd_is_of(const struct htpasswd *table, const char *text, size_t size);
