#pragma once

#include <stddef.h>

/*
 * Writes size bytes as a JSON string, quotes included, with the escapes of Go's encoding/json:
 * \u003c \u003e \u0026 for < > &, \n \r \t, \u00XX for other control bytes, \u2028 and \u2029, and
 * \ufffd for invalid UTF-8. Other text, also '/', is copied.
 *
 * Returns the length. If ret_quoted is NULL it only counts; otherwise ret_quoted must have room for
 * that many bytes (no NUL is written).
 */
size_t json_quote(const void *text, size_t size, char *ret_quoted);

/*
 * The same as a new NUL-terminated string, owned by the caller (free); NULL if memory is exhausted.
 */
char *json_quote_new(const char *text);
