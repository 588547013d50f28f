/*
 * The framing of requests: in whatever pieces they arrive, the verdict is the same, no more is passed on than came, and
 * what is accepted is taken again as it was passed on.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/spec/framing.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* In pieces of step bytes. Answers how much was passed on. */
static size_t show(struct framing *framing, const uint8_t *data, size_t size, size_t step, char *ret_passed)
{
    size_t used = 0;

    for (size_t at = 0; at < size; at += step) {
        size_t piece = size - at < step ? size - at : step, n;

        memcpy(ret_passed + used, data + at, piece);
        n = framing_take(framing, ret_passed + used, piece);
        REQUIRE(n <= piece);
        used += n;
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *whole = malloc(size + 1), *pieces = malloc(size + 1);
    struct framing first = {0}, second = {0}, third = {0};
    size_t whole_size, pieces_size;

    REQUIRE(whole && pieces);
    whole_size = show(&first, data, size, size ? size : 1, whole);
    pieces_size = show(&second, data, size, 3, pieces);
    REQUIRE(first.state == second.state && first.flaw == second.flaw);
    REQUIRE(first.state != FRAMING_REFUSED || first.flaw);
    REQUIRE(whole_size <= pieces_size && memcmp(whole, pieces, whole_size) == 0);
    fuzz_was_accepted = !first.flaw;
    if (!first.flaw) {
        REQUIRE(whole_size == pieces_size);
        REQUIRE(show(&third, (const uint8_t *)whole, whole_size, 7, pieces) == whole_size);
        REQUIRE(!third.flaw);
    }
    framing_done(&first);
    framing_done(&second);
    framing_done(&third);
    return 0;
}
