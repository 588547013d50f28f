/*
 * REGISTRY_* variables, one per line.
 */
#include "tests/fuzz/registry-config/check-settings.h"

bool fuzz_was_accepted;

enum { VARIABLES_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = malloc(size + 1);
    char *environment[VARIABLES_MAX + 1] = {NULL}, *rest = text;

    REQUIRE(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; rest && i < VARIABLES_MAX; i++)
        environment[i] = strsep(&rest, "\n");
    fuzz_was_accepted = load_and_check(NULL, environment);
    return 0;
}
