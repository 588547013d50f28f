#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * bcrypt, by libxcrypt or the C library: "$2y$10$" with the cost in two digits, 22 characters of
 * salt, 31 of the hash. All of this from any thread.
 */
enum {
    BCRYPT_SIZE = 60,
    BCRYPT_COST_MIN = 4, /* 2^4 rounds; one more doubles them */
    BCRYPT_COST_MAX = 31,
    BCRYPT_PASSWORD_MAX = 72, /* what lies behind does not count */
};

/*
 * Reads what begins text: 0 with the cost, or -EINVAL where it is no hash that bcrypt_check() can
 * check. Like registry:2 it takes $2a$, $2b$, $2x$ and $2y$, and ignores what follows the hash.
 */
int bcrypt_parse(const char *text, size_t size, unsigned *ret_cost) MUST_USE;

enum { BCRYPT_MISMATCH = 1 };

/*
 * 0 where the hash (of BCRYPT_SIZE, taken by bcrypt_parse()) is of this password, BCRYPT_MISMATCH,
 * -ENOMEM, or -ENOSYS: the library has no bcrypt, see bcrypt_test(). It takes 1.4 ms at cost 5 and
 * 44 ms at cost 10 on a processor of 2024. A password with a NUL is a mismatch after as long:
 * bcrypt would stop there. All four kinds are computed as $2y$, the correct one, as registry:2
 * does; libxcrypt's own $2x$ and $2a$ mind errors of old programs.
 */
int bcrypt_check(const struct secbuf *password, const char *hash) MUST_USE;

/* Whether the library has bcrypt at all: 0, or an error that says what to do. Takes a millisecond;
 * for the start. */
int bcrypt_test(struct error *err) MUST_USE;

/* The same work as bcrypt_check() on a hash of this cost, for nothing. 0 or -ENOMEM. */
int bcrypt_waste(const struct secbuf *password, unsigned cost) MUST_USE;

/* A new hash, with a salt from the kernel. 0, -EINVAL (cost out of range, NUL in password), -ENOSYS
 * or -ENOMEM. */
int bcrypt_make(const struct secbuf *password, unsigned cost,
                char ret_hash[BCRYPT_SIZE + 1]) MUST_USE;
