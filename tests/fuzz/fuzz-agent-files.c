/*
 * Input from gpg-agent and its files: a private key's file, the answer to KEYINFO, gpg-agent.conf.
 */
#include <string.h>

#include "gpg/agent-conf.h"
#include "gpg/agent.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_answer(const char *text)
{
    static const char grip[] = "0123456789ABCDEF0123456789ABCDEF01234567";
    struct gpg_agent_key key;

    if (gpg_agent_parse_keyinfo(text, grip, &key) == 0)
        REQUIRE(strstr(text, "S KEYINFO ") && strstr(text, grip));
}

static void check_configuration(const char *text)
{
    CLEANUP_FREE char *value = gpg_agent_parse_option(text, "pinentry-program");

    if (value)
        REQUIRE(strstr(text, "pinentry-program") && !strpbrk(value, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = strndup((const char *)data, size);
    CLEANUP_FREE uint8_t *exact = malloc(size ? size : 1); /* the sanitizers detect reads beyond its end */
    uint64_t count = 0;

    REQUIRE(text && exact);
    if (size)
        memcpy(exact, data, size);
    check_answer(text);
    check_configuration(text);
    fuzz_was_accepted = gpg_agent_parse_s2k_count(exact, size, &count);
    REQUIRE(!fuzz_was_accepted || count < UINT64_C(1000000000000000000));
    return 0;
}
