#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/secbuf.h"

/*
 * The passwords that were verified lately. None of them lies here: what is kept is an HMAC-SHA256
 * over user, password and hash, with a random key that lives and dies with the cache, all of it in
 * secure memory. From any thread.
 */
struct password_cache;

/* What a password was verified against. None of it is kept. */
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
