#pragma once

#include <stddef.h>

#include "common/macros.h"

/*
 * HMAC-SHA256 with one key. Nobody can compute these digests without the key. So an attacker cannot
 * choose places in a table that uses them, and the time of a search reveals nothing. The key is in
 * secure memory. Any thread may call these functions.
 */
struct keyed_digest;

enum { KEYED_DIGEST_SIZE = 32, KEYED_DIGEST_KEY_SIZE = 32 }; /* bytes */

/*
 * The key is copied; NULL: a random one. 0 with *ret owned by the caller (keyed_digest_free), or
 * -ENOMEM.
 */
int keyed_digest_new(const unsigned char *key, struct keyed_digest **ret) MUST_USE;
void keyed_digest_free(struct keyed_digest *digest); /* takes NULL */

struct keyed_part {
    const void *data; /* borrowed */
    size_t size;
};

/*
 * Computes the digest of the parts and their sizes, so that "ab", "c" and "a", "bc" differ. 0 or
 * -ENOMEM.
 */
int keyed_digest_compute(struct keyed_digest *digest, const struct keyed_part *parts, size_t count,
                         unsigned char ret[KEYED_DIGEST_SIZE]) MUST_USE;
