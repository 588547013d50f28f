#pragma once

#include <stddef.h>

/*
 * Writes size bytes as a JSON string, quotes included, with the escapes of Go's encoding/json:
 * \u003c \u003e \u0026 for < > &, \n \r \t, \u00XX for other control bytes, \u2028 and \u2029,
 * \ufffd for what is no UTF-8; '/' and other text as it is.
 *
 * Returns the length; with ret_quoted NULL it only counts, otherwise ret_quoted has room for
 * that many bytes (no NUL is written).
 */
size_t json_quote(const void *text, size_t size, char *ret_quoted);

/* The same as a new text with a NUL, owned by the caller (free); NULL if memory is short. */
char *json_quote_new(const char *text);
