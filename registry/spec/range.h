#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/* The headers about parts and sizes of bodies. Pure; from any thread; values are NUL-terminated. */

/* How many ranges one request may name, as many as containers/storage asks for. If there are more, the header is ignored. */
enum { RANGE_MAX = 1024 };

struct range {
    uint64_t first, size; /* size is never 0 */
};

enum {
    RANGE_IGNORED = 1,       /* the whole is to be sent: 200 */
    RANGE_UNSATISFIABLE = 2, /* 416 */
};

/*
 * Reads Range (RFC 9110 section 14.2) for a body of `size` bytes, as Go's ServeContent in
 * registry:2 does. 0 with *ret_count (1 to RANGE_MAX) ranges in the order asked for; RANGE_IGNORED
 * (NULL, another unit than bytes, an empty body, more bytes asked for than there are, too many
 * ranges); or RANGE_UNSATISFIABLE (nothing of it is in the body, or it is malformed, "500-0"
 * among it).
 */
int range_parse(const char *header, uint64_t size, struct range ret_ranges[RANGE_MAX], size_t *ret_count) MUST_USE;

/*
 * Reads the Content-Range of an upload's chunk: first and last byte as "0-9", without unit and
 * total (OCI distribution specification, "Pushing a blob in chunks"). 0, or -EINVAL.
 */
int range_parse_content(const char *header, uint64_t *ret_first, uint64_t *ret_last) MUST_USE;

/* Reads decimal digits alone, as of Content-Length or n=. 0, -EINVAL, or -ERANGE past 64 bits. */
int range_parse_length(const char *text, uint64_t *ret) MUST_USE;

/*
 * Whether If-None-Match (RFC 9110 section 13.1.2; several headers joined by ", ") names etag,
 * which is given with its quotes. "*" does; W/ is ignored, as the weak comparison wants it. Like
 * registry:2 it takes the tag without its quotes too.
 */
bool range_matches_etag(const char *list, const char *etag);
