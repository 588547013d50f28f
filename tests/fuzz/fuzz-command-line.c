/*
 * setup's command line and podman's file: words end at NULs; accepted input follows setup's rules.
 */
#include <string.h>

#include "helper/client/registries-conf.h"
#include "helper/setup/options.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

enum { MOST_WORDS = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[] = "setup", *argv[MOST_WORDS + 2] = {name};
    CLEANUP_FREE char *words = malloc(size + 1);
    struct setup_options options;
    struct error err = {0};
    char **names = NULL;
    int argc = 1, r;

    REQUIRE(words);
    if (size)
        memcpy(words, data, size);
    words[size] = '\0';
    REQUIRE(client_helpers_parse(words, &names) != 1 || names);
    client_helper_names_free(names);
    for (size_t at = 0; at < size && argc <= MOST_WORDS; at += strlen(words + at) + 1)
        argv[argc++] = words + at;
    argv[argc] = NULL;
    r = setup_options_parse(argc, argv, &options, &err);
    fuzz_was_accepted = r == 0;
    REQUIRE(r >= 0 || (*err.text && err.code > 0));
    if (r == 0) {
        REQUIRE(!(options.is_podman && options.host) && !(options.key && (options.name || options.email)));
        REQUIRE(!options.key || *options.key);
    }
    return 0;
}
