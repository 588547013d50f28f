#pragma once

#include <stddef.h>

#include "common/macros.h"

/* Base64 with the URL and file name safe alphabet and padding (RFC 4648 section 5). */

/* How many characters encode size bytes, without the terminating NUL. */
size_t base64url_encoded_size(size_t size);

/* Writes base64url_encoded_size(size) characters and a NUL to ret_text. */
void base64url_encode(const void *data, size_t size, char *ret_text);

/*
 * Decodes size characters into ret_data, which has room for size / 4 * 3 bytes. Only the one
 * canonical form is taken: whatever decodes would be encoded to the same text again.
 * 0, or -EINVAL (ret_data is undefined).
 */
int base64url_decode(const char *text, size_t size, void *ret_data, size_t *ret_size);

/* The same with the standard alphabet (RFC 4648 section 4). */
int base64_decode(const char *text, size_t size, void *ret_data, size_t *ret_size) MUST_USE;

/* As base64url, but without padding, as JSON Web Signatures have it (RFC 7515 section 2). */

/*
 * Writes at most base64url_encoded_size(size) characters and a NUL; returns the number of
 * characters.
 */
size_t base64url_encode_bare(const void *data, size_t size, char *ret_text);

/*
 * Decodes size characters into ret_data, which has room for (size + 3) / 4 * 3 bytes. 0 or -EINVAL,
 * as above.
 */
int base64url_decode_bare(const char *text, size_t size, void *ret_data, size_t *ret_size) MUST_USE;
