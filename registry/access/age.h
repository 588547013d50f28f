#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Parses a duration in whole hours, days or weeks: "12h", "90d", "2w"; at least one hour and at
 * most AGE_DAYS_MAX days. Returns 0 with seconds, or -EINVAL. Pure: from any thread.
 */
enum { AGE_DAYS_MAX = 36500 };

int age_parse(const char *text, size_t size, uint64_t *ret_s);
