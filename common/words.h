#pragma once

#include <stddef.h>
#include <stdint.h>

enum { WORDS_SIZE_MAX = 96 };

/* The noun that fits the count: "1 blob", "2 blobs". */
static inline const char *words_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* A time span for people, exact: "1 day", "1 hour 30 minutes", "0 seconds". Returns ret. */
const char *words_duration(uint64_t seconds, char ret[WORDS_SIZE_MAX]);

/*
 * An amount of data for people: "1 byte", "999 bytes", "1.5 GiB (1610612736 bytes)". Returns ret.
 */
const char *words_bytes(uint64_t bytes, char ret[WORDS_SIZE_MAX]);

/* The same, rounded and in few characters: "17 B", "1.5 GiB". Returns ret. */
const char *words_short_bytes(uint64_t bytes, char ret[WORDS_SIZE_MAX]);
