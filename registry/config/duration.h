#pragma once

#include <stdint.h>

/*
 * Reads a duration in Go's syntax (time.ParseDuration): "168h", "1m30s", "1.5s", "250ms", "0"; the
 * units are ns, us, µs, ms, s, m and h. Returns 0 with the milliseconds, rounded up; -EINVAL if
 * text is not a duration; -ERANGE if it is negative or longer than 292 years. Pure: from any
 * thread.
 */
int duration_parse(const char *text, uint64_t *ret_ms);
