#include "common/words.h"

#include "tests/unit/check.h"

static void durations(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *words;
    } cases[] = {
        {0, "0 seconds"}, {1, "1 second"}, {59, "59 seconds"}, {60, "1 minute"}, {120, "2 minutes"}, {3600, "1 hour"},
        {5400, "1 hour 30 minutes"}, {86399, "23 hours 59 minutes 59 seconds"}, {86400, "1 day"}, {90000, "1 day 1 hour"},
        {86401, "1 day 1 second"}, {UINT64_MAX, "213503982334601 days 7 hours 15 seconds"},
    };
    char words[WORDS_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(words_duration(cases[i].seconds, words), cases[i].words);
}

static void amounts(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *words;
    } cases[] = {
        {0, "0 bytes"}, {1, "1 byte"}, {1023, "1023 bytes"}, {1024, "1.0 KiB (1024 bytes)"},
        {1610612736, "1.5 GiB (1610612736 bytes)"}, {UINT64_MAX, "16.0 EiB (18446744073709551615 bytes)"},
    };
    char words[WORDS_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(words_bytes(cases[i].bytes, words), cases[i].words);
}

static void plurals(void **state)
{
    (void)state;
    assert_string_equal(words_plural(0, "blob", "blobs"), "blobs");
    assert_string_equal(words_plural(1, "blob", "blobs"), "blob");
    assert_string_equal(words_plural(2, "blob", "blobs"), "blobs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(amounts),
        cmocka_unit_test(plurals),
    };

    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
