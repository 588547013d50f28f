#pragma once

#include <stddef.h>

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
