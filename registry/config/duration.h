#pragma once

#include <stdint.h>

/*
 * Reads a duration in Go's syntax (time.ParseDuration): "168h", "1m30s", "1.5s", "250ms", "0"; units
 * ns, us, µs, ms, s, m, h. 0 with milliseconds, rounded up; -EINVAL: not a duration; -ERANGE: negative, or more than
 * 292 years. Pure: from any thread.
 */
int duration_parse(const char *text, uint64_t *ret_ms);
