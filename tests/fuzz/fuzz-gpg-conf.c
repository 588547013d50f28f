/*
 * gpg.conf: a file that counts as harmless stays so without comments and with one more line end, and contains none of the
 * harmful options.
 */
#include "gpg/conf.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static bool begins_with(const uint8_t *data, size_t size, const char *word)
{
    return size >= strlen(word) && memcmp(data, word, strlen(word)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const harmful[] = {"agent-program", "keyring", "no-autostart", "pinentry-mode", "use-keyboxd", "output"};
    const char *text = (const char *)data;

    fuzz_was_accepted = gpg_conf_is_harmless(text, size);
    for (size_t i = 0; fuzz_was_accepted && i < size; i++)
        if (i == 0 || text[i - 1] == '\n')
            for (size_t k = 0; k < sizeof(harmful) / sizeof(harmful[0]); k++)
                REQUIRE(!begins_with(data + i, size - i, harmful[k]));
    return 0;
}
