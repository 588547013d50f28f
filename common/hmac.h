#pragma once

#include <stddef.h>

#include "common/macros.h"

enum { HMAC_SHA256_SIZE = 32 }; /* bytes */

/*
 * HMAC-SHA256 (RFC 2104) of size bytes with a key of any size. ret may be the key, for chains of
 * them. From any thread. 0 or -ENOMEM.
 */
int hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                unsigned char ret[HMAC_SHA256_SIZE]) MUST_USE;
