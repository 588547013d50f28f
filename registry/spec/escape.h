#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/*
 * Percent-encoding in URLs (RFC 3986 section 2.1), and the queries of Go's net/url: "a=b&c=d",
 * '+' for a space. Pure; from any thread.
 *
 * Texts written are NUL-terminated; -E2BIG where one does not fit into ret_size bytes with its NUL.
 */

/* As a value (or key) in a query: all but letters, digits and "-._~" is escaped; a space is "%20". */
int escape_query(const char *text, size_t size, char *ret_text, size_t ret_size) MUST_USE;

/* As a path: like that, but '/', ':' and '@' stay. */
int escape_path(const char *text, size_t size, char *ret_text, size_t ret_size) MUST_USE;

/* Undoes them. 0, -E2BIG, or -EINVAL (an escape without two hexadecimal digits, or a NUL). */
int escape_decode(const char *text, size_t size, bool is_plus_space, char *ret_text, size_t ret_size) MUST_USE;

/* The value of the first such key in a query. 0, -ENOENT, or as escape_decode(). */
int escape_find(const char *query, const char *key, char *ret_value, size_t ret_size) MUST_USE;

/*
 * The values of a key that may come several times: begin with *query at the start of the query;
 * each call leaves it after the pair that was found, also where its value was refused. Results as
 * of escape_find(); -ENOENT after the last.
 */
int escape_find_next(const char **query, const char *key, char *ret_value, size_t ret_size) MUST_USE;
