#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/* Times in UTC, in whole seconds, as RFC 3339 writes them: "2026-11-30T07:41:45Z". Pure. */

enum { RFC3339_SIZE = 32 };

/* Formats seconds since 1970. Writes "" if the year is too large for the C library. */
void rfc3339_format(int64_t seconds, char ret_text[RFC3339_SIZE]);

/* Parses what rfc3339_format() writes, and no other form. 0 or -EINVAL. */
int rfc3339_parse(const char *text, size_t size, int64_t *ret_seconds) MUST_USE;
