/*
 * Digests: an accepted digest is formatted as the same bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest digest;
    char text[DIGEST_TEXT_SIZE];
    int r = digest_parse((const char *)data, size, &digest);

    fuzz_was_accepted = r == 0;
    REQUIRE(r == 0 || r == -EINVAL || r == -ENOTSUP);
    if (r < 0)
        return 0;
    REQUIRE(strlen(digest.hex) == digest_hex_size(digest.algorithm));
    digest_format(&digest, text);
    REQUIRE(strlen(text) == size && memcmp(text, data, size) == 0);
    return 0;
}
