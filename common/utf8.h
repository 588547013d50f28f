#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu         /* U+FFFD */
#define UTF8_REPLACEMENT_BYTES "\xEF\xBF\xBD"

/*
 * Reads one code point from size (at least 1) bytes. Returns how many bytes it took; of bytes
 * that are no UTF-8 (overlong forms, surrogates, past U+10FFFF) it takes one and answers
 * U+FFFD, as Go does.
 */
size_t utf8_decode(const unsigned char *text, size_t size, uint32_t *ret_code_point);

/* Whether the code point is Unicode white space (property White_Space, as Go's unicode.IsSpace). */
bool utf8_is_space(uint32_t code_point);

/* Finds text without the white space at both ends; *ret_start is valid as long as text. */
void utf8_trim(const unsigned char *text, size_t size, const unsigned char **ret_start, size_t *ret_size);
