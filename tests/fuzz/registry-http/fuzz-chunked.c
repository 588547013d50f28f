/*
 * Chunked bodies: the body or the failure does not depend on how the bytes are split.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/http/chunked.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

struct result {
    int64_t failure;
    size_t used; /* of the input */
    size_t size; /* of the body */
    bool is_over;
};

static struct result decode(const char *data, size_t size, size_t step, char *ret_body)
{
    struct chunked chunked = {0};
    struct result result = {0};

    while (chunked.state != CHUNKED_END && result.used < size) {
        size_t given = size - result.used < step ? size - result.used : step;
        struct chunked_piece piece;
        int64_t taken = chunked_decode(&chunked, data + result.used, given, &piece);

        if (taken < 0) {
            result.failure = taken;
            return result;
        }
        REQUIRE(taken > 0 && (size_t)taken <= given && piece.size <= (size_t)taken);
        if (piece.size)
            memcpy(ret_body + result.size, piece.data, piece.size);
        result.size += piece.size;
        result.used += (size_t)taken;
    }
    result.is_over = chunked.state == CHUNKED_END;
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *whole = malloc(size + 1);
    CLEANUP_FREE char *pieces = malloc(size + 1);
    struct result first, second;

    REQUIRE(whole && pieces);
    first = decode((const char *)data, size, size ? size : 1, whole);
    second = decode((const char *)data, size, 1, pieces);
    REQUIRE(first.failure == second.failure && first.is_over == second.is_over);
    if (first.failure == 0)
        REQUIRE(first.used == second.used && first.size == second.size &&
                memcmp(whole, pieces, first.size) == 0);
    fuzz_was_accepted = first.is_over;
    return 0;
}
