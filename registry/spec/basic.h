#pragma once

#include <stddef.h>

#include "common/secbuf.h"

/* User and password may take up this many characters of base64. */
enum { BASIC_MAX_SIZE = 8 << 10 };

enum { BASIC_ABSENT = 1 }; /* another scheme, or none */

/*
 * Parses the value of Authorization if it is "Basic" (in any case) with the base64 form of
 * "user:password" (RFC 7617). Returns 0 with both, owned by the caller, with data that is never
 * NULL; BASIC_ABSENT; -EINVAL (malformed or too long); or -ENOMEM. Decoded text is only in secure
 * memory. The user contains no ':'. Both may be empty and contain any other byte, also NUL. The
 * buffers must be empty before the call, and are empty after a failure. Any thread may call it.
 */
int basic_parse(const char *header, size_t size, struct secbuf *ret_user,
                struct secbuf *ret_password) MUST_USE;
