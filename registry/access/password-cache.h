#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/secbuf.h"

/*
 * Remembers which passwords were verified lately. It stores no password, but an HMAC-SHA256 over user, password
 * and hash. The HMAC's random key exists as long as the cache, and everything is in secure memory. From any thread.
 */
struct password_cache;

/* A verified password with its user and hash. The cache keeps none of the three. */
struct verified {
    const struct secbuf *user;
    const struct secbuf *password; /* counts up to BCRYPT_PASSWORD_MAX, like in bcrypt */
    const char *hash;              /* BCRYPT_SIZE characters; another hash, another entry */
};

/* Room for max entries, each for life_ms. 0 with *ret (password_cache_free), or -ENOMEM. */
int password_cache_new(unsigned max, uint64_t life_ms, struct password_cache **ret) MUST_USE;

/* Wipes it; takes NULL. */
void password_cache_free(struct password_cache *cache);

/* Times are of any clock that never goes back, in milliseconds, the same for both. */

/* Notes that this was verified now. Room for it is made by what was not used for the longest time. */
void password_cache_add(struct password_cache *cache, const struct verified *what, uint64_t now_ms);

/* Whether it was verified less than life_ms ago; that it was asked for does not make it live longer. */
bool password_cache_has(struct password_cache *cache, const struct verified *what, uint64_t now_ms);
