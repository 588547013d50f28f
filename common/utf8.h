#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu /* U+FFFD */
#define UTF8_REPLACEMENT_BYTES "\xEF\xBF\xBD"

/*
 * Decodes one code point from size (at least 1) bytes. Returns the number of bytes that it took.
 * For invalid UTF-8 (overlong forms, surrogates, beyond U+10FFFF) that is one byte, and the code
 * point is U+FFFD, as in Go.
 */
size_t utf8_decode(const unsigned char *text, size_t size, uint32_t *ret_code_point);

/* Whether the code point is Unicode white space (property White_Space, as Go's unicode.IsSpace). */
bool utf8_is_space(uint32_t code_point);

/* Trims white space at both ends; *ret_start points into text. */
void utf8_trim(const unsigned char *text, size_t size, const unsigned char **ret_start,
               size_t *ret_size);
