#pragma once

#include <stddef.h>

#include "common/macros.h"

/*
 * Percent-encoding in URLs (RFC 3986 section 2.1), and the queries of Go's net/url: "a=b&c=d",
 * '+' for a space. Pure; from any thread.
 *
 * Results end with a NUL; -E2BIG if one does not fit into ret_size bytes with its NUL.
 */

/*
 * Escapes a value (or key) of a query: everything except letters, digits and "-._~"; a space
 * becomes "%20".
 */
int escape_query(const char *text, size_t size, char *ret_text, size_t ret_size) MUST_USE;

/* Escapes a path: like escape_query(), but '/', ':' and '@' stay. */
int escape_path(const char *text, size_t size, char *ret_text, size_t ret_size) MUST_USE;

/* The part of a URL; in a query, '+' stands for a space. */
enum escape_part { ESCAPE_PATH, ESCAPE_QUERY };

/* Decodes escapes. 0, -E2BIG, or -EINVAL (an escape without two hexadecimal digits, or a NUL). */
int escape_decode(const char *text, size_t size, enum escape_part part, char *ret_text,
                  size_t ret_size) MUST_USE;

/* Finds the value of the first such key in a query. 0, -ENOENT, or like escape_decode(). */
int escape_find(const char *query, const char *key, char *ret_value, size_t ret_size) MUST_USE;

/*
 * Finds the values of a key that may be repeated. Start with *query at the start of the query; each
 * call moves it after the pair that was found, even if the value is invalid. Returns like
 * escape_find(); -ENOENT after the last value.
 */
int escape_find_next(const char **query, const char *key, char *ret_value,
                     size_t ret_size) MUST_USE;
