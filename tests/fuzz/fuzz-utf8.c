/*
 * UTF-8: decoding consumes the returned length, and accepts only canonical forms; trimming removes exactly the white space.
 */
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static size_t encode(uint32_t c, unsigned char *to)
{
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (size_t i = length; i > 1; i--, c >>= 6)
        to[i - 1] = (unsigned char)(0x80 | (c & 0x3F));
    to[0] = (unsigned char)(leads[length] | c);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned char *start;
    size_t trimmed, length;

    fuzz_was_accepted = true;
    for (size_t at = 0; at < size; at += length) {
        unsigned char again[4];
        uint32_t code_point;

        length = utf8_decode(data + at, size - at, &code_point);
        REQUIRE(length >= 1 && length <= size - at);
        if (code_point == UTF8_REPLACEMENT && length == 1)
            fuzz_was_accepted = false;
        else
            REQUIRE(encode(code_point, again) == length && memcmp(again, data + at, length) == 0);
    }
    utf8_trim(data, size, &start, &trimmed);
    REQUIRE(start >= data && trimmed <= size && start + trimmed <= data + size);
    if (trimmed) {
        uint32_t first;

        utf8_decode(start, trimmed, &first);
        REQUIRE(!utf8_is_space(first));
    }
    return 0;
}
