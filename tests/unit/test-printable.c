#include "common/printable.h"

#include <string.h>

#include "tests/unit/check.h"

static void terminal_sequences_are_not_safe(void **state)
{
    static const uint32_t unsafe[] = {0, 7, '\t', '\n', 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0x9F, 0x61C, 0x200E, 0x200F,
                                      0x2028, 0x2029, 0x202A, 0x202E, 0x2066, 0x2069};
    static const uint32_t safe[] = {' ', '~', 0xA0, 0xE9, 0x61B, 0x61D, 0x200D, 0x2010, 0x2027, 0x202F, 0x2065, 0x206A,
                                    0xFFFD, 0x10FFFF};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
        assert_false(printable_is_safe(unsafe[i]));
    for (size_t i = 0; i < ARRAY_SIZE(safe); i++)
        assert_true(printable_is_safe(safe[i]));
}

static void assert_cleaned(const char *text, const char *expected)
{
    CLEANUP_FREE char *copy = copy_exactly(text, strlen(text) + 1);

    printable_clean(copy);
    assert_string_equal(copy, expected);
}

static void text_is_cleaned_in_place(void **state)
{
    (void)state;
    assert_cleaned("", "");
    assert_cleaned("plain caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xB3 \xEF\xBF\xBD", "plain caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xB3 \xEF\xBF\xBD");
    assert_cleaned("\x1B[31mred\x1B[0m\r\n", "?[31mred?[0m??");
    assert_cleaned("\xC2\x9B" "31m", "?31m");           /* CSI in one character */
    assert_cleaned("\x9B" "31m", "?31m");               /* and in one byte */
    assert_cleaned("user\xE2\x80\xAEgpj.exe", "user?gpj.exe");
    assert_cleaned("\xE2\x82", "??");                   /* cut off */
    assert_cleaned("\xC0\x9B\xED\xA0\x80", "?????");    /* overlong, surrogate */
}

static void assert_escaped(const char *json, const char *expected)
{
    size_t size = printable_escape_json(json, strlen(json), NULL);
    CLEANUP_FREE char *text = calloc(1, size + 1);

    assert_non_null(text);
    assert_int_equal(printable_escape_json(json, strlen(json), text), size);
    assert_string_equal(text, expected);
}

static void json_says_the_same_in_ascii(void **state)
{
    (void)state;
    assert_escaped("{\"a\":\"caf\xC3\xA9\"}\n", "{\"a\":\"caf\xC3\xA9\"}\n");
    assert_escaped("{\"\xC2\x9B" "2J\":\"\x7F\xE2\x80\xAE\"}\n", "{\"\\u009b2J\":\"\\u007f\\u202e\"}\n");
    assert_escaped("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal_sequences_are_not_safe),
        cmocka_unit_test(text_is_cleaned_in_place),
        cmocka_unit_test(json_says_the_same_in_ascii),
    };

    return cmocka_run_group_tests_name("printable", tests, NULL, NULL);
}
