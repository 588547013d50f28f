#include "helper/pass/message.h"

#include <string.h>

#include "tests/unit/check.h"

static void messages_differ_from_other_content(void **state)
{
    static const struct { const char *name, *bytes; size_t size; bool begins; } cases[] = {
        {"session key, old", "\x84\x5E", 2, true},
        {"session key, old, two bytes of length", "\x85\x01\x0C", 3, true},
        {"session key, new", "\xC1\x5E", 2, true},
        {"passphrase", "\x8C\x0D", 2, true},
        {"marker", "\xCA\x03PGP", 5, true},
        {"encrypted data", "\xD2\x01", 2, true},
        {"armor", "-----BEGIN PGP MESSAGE-----\n", 28, true},
        {"half an armor", "-----BEGIN PGP MESSAGE----", 26, false},
        {"signed text", "-----BEGIN PGP SIGNED MESSAGE-----\n", 35, false},
        {"key, old", "\x99\x01\x0D", 3, false},
        {"secret key", "\x95\x03", 2, false},
        {"signature", "\x89\x01", 2, false},
        {"literal data, unencrypted", "\xCB\x01", 2, false},
        {"key box", "\0\0\0\x20\1\1\0\2KBXf", 12, false},
        {"text", "ssh-ed25519", 11, false},
        {"nothing", "", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE void *bytes = copy_exactly(cases[i].bytes, cases[i].size);

        assert_case(cases[i].name, pass_message_begins(bytes, cases[i].size) == cases[i].begins);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_differ_from_other_content),
    };

    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
