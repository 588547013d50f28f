#pragma once

#include <stddef.h>

#include "common/secbuf.h"

/* User and password may take up this many characters of base64. */
enum { BASIC_MAX_SIZE = 8 << 10 };

enum { BASIC_ABSENT = 1 }; /* another scheme, or none */

/*
 * Reads the value of Authorization, where it is "Basic" (in any case) and base64 of
 * "user:password" (RFC 7617). 0 with both, which the caller owns, their data then never NULL;
 * BASIC_ABSENT; -EINVAL (malformed or too long); or -ENOMEM. What is decoded lies in secure
 * memory alone. The user has no ':'; both may be empty and hold any other byte, NULs too. The
 * buffers must be empty before, and are empty after a failure. From any thread.
 */
int basic_parse(const char *header, size_t size, struct secbuf *ret_user,
                struct secbuf *ret_password) MUST_USE;
