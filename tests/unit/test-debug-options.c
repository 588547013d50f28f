/* Options of GnuPG that put session keys or plaintext into a log. */
#include <stdlib.h>
#include <string.h>

#include "gpg/debug-options.h"
#include "tests/unit/check.h"

static void lines_that_leak_are_found(void **state)
{
    static const struct { const char *text, *found; } cases[] = {
        {"", NULL},
        {"# debug-level guru\nverbose\n", NULL},
        {"debug-level expert\ndebug-level 8\ndebug-level advanced\n", NULL},
        {"debug ipc,filter\ndebug 1024\ndebug 0x400\ndebug\n", NULL},
        {"debug-pinentry\nlog-file /tmp/all\ndebug-allow-core-dump\nshow-session-keys\n", NULL},
        {"debug-level", NULL},
        {"armor\n  debug-level\tguru  \r\nquiet\n", "debug-level\tguru"},
        {"debug-level 9", "debug-level 9"},
        {"debug-all", "debug-all"},
        {"show-session-key\n", "show-session-key"},
        {"debug ipc, crypto\n", "debug ipc, crypto"},
        {"debug HASHING", "debug HASHING"},
        {"debug 4", "debug 4"},
        {"debug 0x200", "debug 0x200"},
        {"debug all\n", "debug all"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *found = gpg_debug_find(cases[i].text);

        assert_case(cases[i].text, cases[i].found ? found && strcmp(found, cases[i].found) == 0 : !found);
        free(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_that_leak_are_found)};

    return cmocka_run_group_tests_name("debug-options", tests, NULL, NULL);
}
