#pragma once

#include <stddef.h>

#include "common/secbuf.h"

/*
 * Validates the first JSON value of text (RFC 8259, with Go's limits) and appends it to ret_value
 * in a form that cJSON and Go read in the same way: invalid UTF-8 and lone surrogates become
 * U+FFFD; "\u0000" becomes JSON_NUL_BYTES, which no other input can produce; a value more than 500
 * levels deep becomes null; a number of more than 62 characters becomes 1e999, padded with blanks.
 * White space and everything after the value are dropped.
 *
 * 0, -EBADMSG for invalid JSON, or -ENOMEM. ret_value may have been appended to in every case.
 */
int json_guard(const void *text, size_t size, struct secbuf *ret_value) MUST_USE;

/* Stands for a NUL byte, at which cJSON's strings would end: its overlong encoding in UTF-8. */
#define JSON_NUL_BYTES "\xC0\x80"
