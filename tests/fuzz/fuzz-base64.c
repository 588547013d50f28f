/*
 * base64: accepted text is the only encoding of its bytes; any bytes survive a round trip.
 */
#include <string.h>

#include "common/base64.h"
#include "common/macros.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_decoding(const uint8_t *data, size_t size)
{
    CLEANUP_FREE unsigned char *bytes = malloc(size + 1);
    CLEANUP_FREE char *again = malloc(size + 5);
    size_t length;

    REQUIRE(bytes && again);
    fuzz_was_accepted = base64url_decode((const char *)data, size, bytes, &length) == 0;
    if (!fuzz_was_accepted)
        return;
    REQUIRE(base64url_encoded_size(length) == size);
    base64url_encode(bytes, length, again);
    REQUIRE(memcmp(again, data, size) == 0);
}

static void check_encoding(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = malloc(base64url_encoded_size(size) + 1);
    CLEANUP_FREE unsigned char *again = malloc(size + 3);
    size_t length;

    REQUIRE(text && again);
    base64url_encode(data, size, text);
    REQUIRE(base64url_decode(text, strlen(text), again, &length) == 0);
    REQUIRE(length == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_encoding(data, size);
    check_decoding(data, size);
    return 0;
}
