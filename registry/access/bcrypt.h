#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * bcrypt, computed by libxcrypt or the C library. A hash is "$2y$10$" (with the cost in two
 * digits), 22 characters of salt and 31 of the digest. Any thread may call these functions.
 */
enum {
    BCRYPT_SIZE = 60,
    BCRYPT_COST_MIN = 4, /* the cost is the binary logarithm of the number of rounds */
    BCRYPT_COST_MAX = 31,
    BCRYPT_PASSWORD_MAX = 72, /* bytes after these are ignored */
};

/*
 * Parses the hash at the start of text. 0 with the cost, or -EINVAL if bcrypt_check() cannot check
 * it. Like registry:2, accepts $2a$, $2b$, $2x$ and $2y$, and ignores text after the hash.
 */
int bcrypt_parse(const char *text, size_t size, unsigned *ret_cost) MUST_USE;

enum { BCRYPT_MISMATCH = 1 };

/*
 * Compares a password with a hash of BCRYPT_SIZE characters that bcrypt_parse() has accepted.
 * Returns 0, BCRYPT_MISMATCH, -ENOMEM, or -ENOSYS if the library has no bcrypt (see bcrypt_test()).
 * Takes 1.4 ms at cost 5 and 44 ms at cost 10 on a processor of 2024. A password with a NUL is a
 * mismatch and takes as long, because bcrypt would stop at the NUL. All four kinds are computed as
 * $2y$, the correct one, as in registry:2; libxcrypt would compute $2x$ and $2a$ with the errors of
 * old programs.
 */
int bcrypt_check(const struct secbuf *password, const char *hash) MUST_USE;

/*
 * Checks that the library supports bcrypt. 0, or an error that says what to do. Takes a
 * millisecond; for the start of the program.
 */
int bcrypt_test(struct error *err) MUST_USE;

/*
 * Does the same work as bcrypt_check() with a hash of this cost, and ignores the result. 0 or
 * -ENOMEM.
 */
int bcrypt_waste(const struct secbuf *password, unsigned cost) MUST_USE;

/*
 * Makes a new hash with a salt from the kernel. 0, -EINVAL (cost out of range, NUL in password),
 * -ENOSYS or -ENOMEM.
 */
int bcrypt_make(const struct secbuf *password, unsigned cost,
                char ret_hash[BCRYPT_SIZE + 1]) MUST_USE;
