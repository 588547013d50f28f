/*
 * PASSWORD_STORE_GPG_OPTS: all results are from the input, and no option is silently dropped.
 */
#include <string.h>

#include "common/macros.h"
#include "gpg/options.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static char *copy_text(const uint8_t *data, size_t size, const char *more)
{
    char *text = malloc(size + strlen(more) + 1);

    REQUIRE(text);
    memcpy(text, data, size);
    memcpy(text + size, more, strlen(more) + 1); /* a NUL in data ends the text, as in the environment */
    return text;
}

static void check_value(const char *text, const char *value)
{
    REQUIRE(!value || (*value && !strpbrk(value, " \t\n")));
    REQUIRE(!value || strstr(text, value) || strcmp(value, "always") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = copy_text(data, size, ""), *more = copy_text(data, strlen(text), " --no-such-option");
    char untouched[] = "untouched";
    struct gpg_options options = {.homedir = untouched};
    struct error err = {0};

    fuzz_was_accepted = gpg_options_parse(text, &options, &err) == 0;
    if (!fuzz_was_accepted) {
        REQUIRE(options.homedir == untouched);
        REQUIRE(*err.text);
        return 0;
    }
    check_value(text, options.homedir);
    check_value(text, options.trust_model);
    gpg_options_done(&options);
    REQUIRE(gpg_options_parse(more, &options, &err) < 0);
    return 0;
}
