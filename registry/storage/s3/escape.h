#pragma once

#include <stddef.h>
#include <stdio.h>

#include "common/macros.h"

/* Addresses of requests as S3 signs them (Signature Version 4): the escaping is fixed, and the
 * query is sorted. Pure. */

/* A header, its name in lower case, or a parameter of a query, neither part escaped. Borrowed. */
struct s3_pair {
    const char *name, *value;
};

enum { S3_PAIRS_MAX = 24 };

/* Writes text with all but letters, digits and - . _ ~ as %XX; slashes stay if kept is "/" instead
 * of "". */
void s3_escape(FILE *out, const char *text, const char *kept);

/*
 * Writes "name=value&..." in the order of the names, which are ASCII letters, digits and hyphens.
 * At most S3_PAIRS_MAX. A parameter without a value is "name=".
 */
void s3_format_query(FILE *out, const struct s3_pair *pairs, size_t count);

/* Copies pointers to count pairs, at most S3_PAIRS_MAX, in the order of their names. */
void s3_sort_pairs(const struct s3_pair *pairs, size_t count,
                   const struct s3_pair *ret[S3_PAIRS_MAX]);
