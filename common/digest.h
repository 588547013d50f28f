#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/*
 * Digests as the OCI image specification writes them ("sha256:" and 64 lower-case hexadecimal
 * digits), and their computation. All but a struct hasher may be used from any thread; a hasher
 * by one thread at a time.
 */
enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA512 };

struct digest {
    enum digest_algorithm algorithm;
    char hex[129]; /* lower case, NUL-terminated */
};

/* "sha512:", its digits and a NUL. */
enum { DIGEST_TEXT_SIZE = 7 + 128 + 1 };

/* "sha256" or "sha512". */
const char *digest_algorithm_name(enum digest_algorithm algorithm);

/* 0, or -ENOTSUP for every other name. */
int digest_algorithm_parse(const char *name, size_t size, enum digest_algorithm *ret) MUST_USE;

/* How many hexadecimal digits: 64 or 128. */
size_t digest_hex_size(enum digest_algorithm algorithm);

/*
 * Reads "algorithm:encoded" (the grammar of OCI descriptors), of exactly size bytes. 0; -EINVAL if
 * it is malformed, for example with upper-case digits; -ENOTSUP if it is well-formed, but its
 * algorithm is not supported.
 */
int digest_parse(const char *text, size_t size, struct digest *ret) MUST_USE;

void digest_format(const struct digest *digest, char ret_text[DIGEST_TEXT_SIZE]);
bool digest_is_equal(const struct digest *a, const struct digest *b);

/* A digest that is computed while the bytes come in. */
struct hasher;

/* 0 with *ret owned by the caller (free with hasher_free), or -ENOMEM. */
int hasher_new(enum digest_algorithm algorithm, struct hasher **ret) MUST_USE;
void hasher_free(struct hasher *hasher);

void hasher_write(struct hasher *hasher, const void *data, size_t size);

/*
 * The digest of the bytes that were written so far. It is computed on a copy, so more bytes may
 * follow. If there is no memory for the copy, the digest is still right, but a later hasher_write()
 * ends the process.
 */
void hasher_get(struct hasher *hasher, struct digest *ret);

enum { DIGEST_BYTES_MAX = 64 };

/* The digest of size bytes that are not secret, as bytes (32 or 64), and as a struct digest: always
 * 0. */
void digest_bytes_of(enum digest_algorithm algorithm, const void *data, size_t size,
                     unsigned char ret[DIGEST_BYTES_MAX]);
int digest_of(enum digest_algorithm algorithm, const void *data, size_t size,
              struct digest *ret) MUST_USE;

static inline void hasher_freep(struct hasher **hasher)
{
    hasher_free(*hasher);
}
