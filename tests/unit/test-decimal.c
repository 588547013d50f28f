#include "common/decimal.h"

#include <string.h>

#include "tests/unit/check.h"

static void numbers_have_their_digits_and_the_width(void **state)
{
    static const struct { uint64_t number; size_t width; const char *digits; } cases[] = {
        {0, 1, "0"},
        {0, 0, "0"},
        {7, 1, "7"},
        {10, 1, "10"},
        {123456, 6, "123456"},
        {1234567, 6, "1234567"},
        {5, 3, "005"},
        {0, 6, "000000"},
        {UINT64_MAX, 1, "18446744073709551615"},
        {1, DECIMAL_MAX, "00000000000000000001"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char digits[DECIMAL_MAX];

        assert_int_equal(decimal_format(cases[i].number, cases[i].width, digits), strlen(cases[i].digits));
        assert_memory_equal(digits, cases[i].digits, strlen(cases[i].digits));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_digits_and_the_width),
    };

    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
