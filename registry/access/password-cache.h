#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/secbuf.h"

/*
 * Caches which passwords were verified recently. It stores an HMAC-SHA256 of user, password and
 * hash instead of the password. The HMAC's random key lives as long as the cache, and everything is
 * in secure memory. Any thread may call these functions.
 */
struct password_cache;

/* A verified password with its user and hash. The cache keeps none of the three. */
struct verified {
    const struct secbuf *user;
    const struct secbuf *password; /* only BCRYPT_PASSWORD_MAX bytes count, as in bcrypt */
    const char *hash; /* BCRYPT_SIZE characters; a changed hash makes the entry useless */
};

/*
 * A cache with room for max entries, which live for life_ms. 0 with *ret owned by the caller
 * (password_cache_free), or -ENOMEM.
 */
int password_cache_new(unsigned max, uint64_t life_ms, struct password_cache **ret) MUST_USE;

/* Wipes and frees the cache; accepts NULL. */
void password_cache_free(struct password_cache *cache);

/* now_ms is in milliseconds of one monotonic clock. */

/*
 * Records that this was verified now. If the cache is full, replaces the least recently used entry.
 */
void password_cache_add(struct password_cache *cache, const struct verified *what, uint64_t now_ms);

/* Whether it was verified less than life_ms ago. The call does not extend the entry's life. */
bool password_cache_has(struct password_cache *cache, const struct verified *what, uint64_t now_ms);
