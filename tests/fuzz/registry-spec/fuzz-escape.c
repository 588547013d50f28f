/*
 * Percent-encoding and queries: decoded text survives a round trip, and a query's values are found
 * at any position.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/spec/escape.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_encoding(const char *text)
{
    size_t size = strlen(text), room = 3 * size + 1;
    CLEANUP_FREE char *escaped = malloc(room), *back = malloc(size + 1), *query = malloc(room + 8);

    REQUIRE(escaped && back && query);
    REQUIRE(escape_query(text, size, escaped, room) == 0);
    REQUIRE(strcspn(escaped, "&=+/?# \"<>") == strlen(escaped));
    REQUIRE(escape_decode(escaped, strlen(escaped), ESCAPE_QUERY, back, size + 1) == 0 &&
            strcmp(back, text) == 0);
    snprintf(query, room + 8, "x&k=%s&y", escaped);
    REQUIRE(escape_find(query, "k", back, size + 1) == 0 && strcmp(back, text) == 0);
    REQUIRE(escape_path(text, size, escaped, room) == 0);
    REQUIRE(escape_decode(escaped, strlen(escaped), ESCAPE_PATH, back, size + 1) == 0 &&
            strcmp(back, text) == 0);
}

/* Reading to the end takes at most one step per pair. */
static void check_query(const char *query)
{
    const char *at = query;
    char value[16];

    for (size_t steps = 0; escape_find_next(&at, "n", value, sizeof(value)) != -ENOENT; steps++)
        REQUIRE(steps <= strlen(query));
    REQUIRE(at <= query + strlen(query));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = malloc(size + 1), *decoded = malloc(size + 1);

    REQUIRE(text && decoded);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    check_query(text);
    fuzz_was_accepted = escape_decode(text, size, ESCAPE_QUERY, decoded, size + 1) == 0;
    if (fuzz_was_accepted)
        check_encoding(decoded);
    return 0;
}
