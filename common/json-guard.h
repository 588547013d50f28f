#pragma once

#include <stddef.h>

#include "common/secbuf.h"

/*
 * Checks the first JSON value of text (RFC 8259, with Go's limits) and copies it to ret_value in
 * a form that cJSON and Go read alike: what is no UTF-8 and lone surrogates become U+FFFD;
 * "\u0000" becomes JSON_NUL_BYTES, which no other input can produce; a value more than 500
 * levels deep becomes null; a number of more than 62 characters becomes 1e999, with blanks to its length;
 * white space and what follows the value are left out.
 *
 * 0, -EBADMSG where that is no JSON, or -ENOMEM; ret_value is appended to in every case.
 */
int json_guard(const void *text, size_t size, struct secbuf *ret_value) MUST_USE;

/* An overlong NUL: cJSON's strings end at a NUL byte, so that one travels in disguise. */
#define JSON_NUL_BYTES "\xC0\x80"
