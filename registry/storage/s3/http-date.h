#pragma once

#include <stdint.h>

#include "common/macros.h"

/* Seconds since 1970 from "Mon, 30 Nov 2026 11:12:35 GMT" (RFC 9110 section 5.6.7), in any locale.
 * 0 or -EINVAL. */
int http_date_parse(const char *text, int64_t *ret) MUST_USE;
