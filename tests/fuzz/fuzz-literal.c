/*
 * The content of an encrypted message, which an attacker could choose: the output is not larger than the input, and contains
 * only allowed packets.
 */
#include "gpg/literal.h"

#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(secbuf_done) struct secbuf content = {0}, plain = {0};
    int r;

    if (secbuf_append(&content, data, size) < 0)
        return 0;
    r = literal_append(&content, 4096, &plain);
    fuzz_was_accepted = r == 0;
    REQUIRE(plain.size <= size && plain.size <= 4096);
    REQUIRE(r == 0 || plain.size == 0);
    return 0;
}
