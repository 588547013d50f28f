#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "registry/storage/s3/sign.h"

/* Text that need not be terminated. Borrowed. */
struct piece {
    const char *text;
    size_t size;
};

/*
 * Keys of a bucket, which do not change: new ones replace them as a whole. Secrets are in secure
 * memory and in no message. They live until their last user drops them; any thread may.
 */
struct keys {
    struct s3_keys parts; /* of what follows */
    char *access;
    struct secbuf secret, token;
    int64_t expires_s; /* seconds since 1970; 0: never */
    unsigned users;
};

/* What keys are made of. */
struct keys_source {
    struct piece access, secret, token;
    int64_t expires_s;  /* 0: never */
    const char *origin; /* where they come from, for errors */
};

/* *ret has one user, the caller. 0, or negative: a part is missing or wrong. */
int keys_new(const struct keys_source *source, struct keys **ret, struct error *err) MUST_USE;
struct keys *keys_use(struct keys *keys); /* one more user; returns keys */
void keys_drop(struct keys *keys);        /* takes NULL */

bool keys_are_expired(const struct keys *keys);

/* Removes white space at both ends. */
struct piece piece_trim(struct piece piece);

static inline struct piece piece_of_secret(const struct secbuf *secret)
{
    return secret && secret->size > 0
               ? (struct piece){(const char *)secret->data, secret->size}
               : (struct piece){"", 0};
}
