/*
 * Go's durations. Accepted text has only their characters, and one more component never makes the
 * value smaller.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/config/duration.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = calloc(1, size + sizeof("1h"));
    uint64_t ms = 1, longer_ms;
    int r;

    REQUIRE(text);
    if (size)
        memcpy(text, data, size);
    r = duration_parse(text, &ms);
    REQUIRE(r == 0 || r == -EINVAL || r == -ERANGE);
    fuzz_was_accepted = r == 0;
    if (r < 0)
        return 0;
    REQUIRE(strspn(text, "0123456789.+-hmsnu\xc2\xb5\xce\xbc") == strlen(text));
    REQUIRE(ms <= INT64_MAX / 1000000 + 1);
    if (strpbrk(text, "hmsnu")) {
        memcpy(text + strlen(text), "1h", sizeof("1h"));
        REQUIRE(duration_parse(text, &longer_ms) == -ERANGE ||
                (longer_ms >= ms && longer_ms - ms <= 3600001) || *text == '-');
    }
    return 0;
}
