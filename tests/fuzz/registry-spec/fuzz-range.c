/*
 * Range, Content-Range, lengths and entity tags: accepted ranges are within the body, and together
 * not longer than it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/spec/range.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static bool check_range(const char *text, uint64_t size)
{
    struct range ranges[RANGE_MAX];
    uint64_t left = size;
    size_t count;
    int r = range_parse(text, size, ranges, &count);

    REQUIRE(r == 0 || r == RANGE_IGNORED || r == RANGE_UNSATISFIABLE);
    if (r != 0)
        return false;
    REQUIRE(count >= 1 && count <= RANGE_MAX);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(ranges[i].size > 0 && ranges[i].size <= left);
        REQUIRE(ranges[i].first < size && ranges[i].size <= size - ranges[i].first);
        left -= ranges[i].size;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {0, 1, 1000, (uint64_t)1 << 63, UINT64_MAX};
    CLEANUP_FREE char *text = malloc(size + 1);
    uint64_t first, last, length;

    REQUIRE(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        check_range(text, sizes[i]);
    fuzz_was_accepted = check_range(text, 10);
    if (range_parse_content(text, &first, &last) == 0)
        REQUIRE(first <= last && last <= INT64_MAX && strspn(text, "0123456789-") == strlen(text));
    if (range_parse_length(text, &length) == 0)
        REQUIRE(length == strtoull(text, NULL, 10));
    REQUIRE(!range_matches_etag(text, "\"sha256:abc\"") || strstr(text, "sha256:abc") ||
            strchr(text, '*'));
    return 0;
}
