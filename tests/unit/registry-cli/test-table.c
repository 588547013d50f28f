#include "registry/cli/table.h"

#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/registry-cli/capture.h"

static const char *printed(const struct table *table, struct capture *capture)
{
    capture_begin(capture, STDOUT_FILENO);
    table_print(table);
    return capture_end(capture);
}

static void columns_are_aligned_and_harmless(void **state)
{
    struct table table = {.columns = 3, .align = "lrl"};
    struct capture capture;
    struct error err;

    (void)state;
    assert_int_equal(table_add(&table, (const char *const[]){"NAME", "SIZE", "NOTE"}, &err), 0);
    assert_int_equal(table_add(&table, (const char *const[]){"\xc3\xa9", "123456", "x"}, &err), 0);
    assert_int_equal(table_add(&table, (const char *const[]){"a\033[31m", "1", ""}, &err), 0);
    assert_string_equal(printed(&table, &capture), "NAME      SIZE  NOTE\n"
                                                   "\xc3\xa9       123456  x\n"
                                                   "a?[31m       1  \n");
    table_done(&table);
}

/* Chinese characters take two columns; an accent that combines with the letter before takes none. */
static void wide_characters_are_aligned(void **state)
{
    struct table table = {.columns = 2, .align = "ll"};
    struct capture capture;
    struct error err;

    (void)state;
    assert_int_equal(table_add(&table, (const char *const[]){"\xe6\x8f\x8f\xe8\xbf\xb0", "x"}, &err),
                     0);
    assert_int_equal(table_add(&table, (const char *const[]){"e\xcc\x81", "x"}, &err), 0);
    assert_int_equal(table_add(&table, (const char *const[]){"abcde", "x"}, &err), 0);
    assert_string_equal(printed(&table, &capture), "\xe6\x8f\x8f\xe8\xbf\xb0   x\n"
                                                   "e\xcc\x81      x\n"
                                                   "abcde  x\n");
    table_done(&table);
}

static void sizes_and_times_are_short(void **state)
{
    char text[WORDS_SIZE_MAX];

    (void)state;
    assert_string_equal(words_short_bytes(0, text), "0 B");
    assert_string_equal(words_short_bytes(1023, text), "1023 B");
    assert_string_equal(words_short_bytes(1536, text), "1.5 KiB");
    assert_string_equal(words_short_bytes(UINT64_MAX, text), "16.0 EiB");
    assert_string_equal(short_time(0, text), "-");
    assert_string_equal(short_time(1000000000, text), "2001-09-09 01:46");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_and_harmless),
        cmocka_unit_test(wide_characters_are_aligned),
        cmocka_unit_test(sizes_and_times_are_short),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
