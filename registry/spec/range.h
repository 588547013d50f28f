#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/* Parses headers about ranges and sizes of bodies. Pure; any thread may call it. */

/*
 * The most ranges in one request; containers/storage asks for up to this number. With more, the
 * header is ignored.
 */
enum { RANGE_MAX = 1024 };

struct range {
    uint64_t first, size; /* size is never 0 */
};

enum {
    RANGE_IGNORED = 1, /* send the whole body: 200 */
    RANGE_UNSATISFIABLE = 2, /* 416 */
};

/*
 * Parses Range (RFC 9110 section 14.2) for a body of `size` bytes, like Go's ServeContent, which
 * registry:2 uses. Returns 0 with *ret_count (1 to RANGE_MAX) ranges in the requested order;
 * RANGE_IGNORED (header is NULL, another unit than bytes, an empty body, ranges that add up to more
 * than the body, too many ranges); or RANGE_UNSATISFIABLE (no range overlaps the body, or the
 * header is malformed, such as "500-0").
 */
int range_parse(const char *header, uint64_t size, struct range ret_ranges[RANGE_MAX],
                size_t *ret_count) MUST_USE;

/*
 * Parses the Content-Range of an upload's chunk: first and last byte as "0-9", without unit and
 * total (OCI distribution specification, "Pushing a blob in chunks"). 0 or -EINVAL.
 */
int range_parse_content(const char *header, uint64_t *ret_first, uint64_t *ret_last) MUST_USE;

/*
 * Parses a number of decimal digits only, as in Content-Length or n=. 0, -EINVAL, or -ERANGE beyond
 * 64 bits.
 */
int range_parse_length(const char *text, uint64_t *ret) MUST_USE;

/*
 * Whether If-None-Match (RFC 9110 section 13.1.2; several headers joined by ", ") contains etag,
 * which includes its quotes. "*" matches; W/ is ignored (weak comparison). As in registry:2, a tag
 * without quotes matches, too.
 */
bool range_matches_etag(const char *list, const char *etag);
