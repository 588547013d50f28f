#include "gpg/patience.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

#define VARIABLE "DOCKER_CREDENTIAL_PASS_TIMEOUT"

static void numbers_of_seconds_are_accepted(void **state)
{
    static const struct { const char *text; int seconds; } cases[] = {
        {"1", 1}, {"30", 30}, {"0120", 120}, {"86400", 86400}, {"", 120},
    };
    int seconds = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        setenv(VARIABLE, cases[i].text, 1);
        assert_case(cases[i].text, gpg_patience_read(&seconds, NULL) == 0 && seconds == cases[i].seconds);
        assert_case(cases[i].text, gpg_patience() == seconds);
    }
    unsetenv(VARIABLE);
    assert_int_equal(gpg_patience(), 120);
}

static void everything_else_is_refused_by_name(void **state)
{
    static const char *const cases[] = {"0", "-1", "+1", " 1", "1 ", "1s", "1.5", "86401", "99999999999999999999", "\x1B[2J"};
    struct error err = {0};
    int seconds = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        setenv(VARIABLE, cases[i], 1);
        assert_case(cases[i], gpg_patience_read(&seconds, &err) == -EINVAL && seconds == 120);
        assert_says(&err, VARIABLE);
        assert_case(cases[i], gpg_patience() == 120);
    }
    unsetenv(VARIABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_seconds_are_accepted),
        cmocka_unit_test(everything_else_is_refused_by_name),
    };

    return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
