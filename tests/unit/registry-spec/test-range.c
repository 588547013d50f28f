#include "registry/spec/range.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

/* The body has ten bytes by default. */
static const struct {
    const char *header;
    int expected;
    size_t count;
    struct range ranges[4];
} cases[] = {
    {"bytes=0-0", 0, 1, {{0, 1}}},
    {"bytes=1-3", 0, 1, {{1, 3}}},
    {"bytes=0-9", 0, 1, {{0, 10}}},
    {"bytes=0-", 0, 1, {{0, 10}}},
    {"bytes=9-", 0, 1, {{9, 1}}},
    {"bytes=5-99", 0, 1, {{5, 5}}},
    {"bytes=0-18446744073709551616", 0, 1, {{0, 10}}},
    {"bytes=3-99999999999999999999999999", 0, 1, {{3, 7}}},
    {"bytes=-1", 0, 1, {{9, 1}}},
    {"bytes=-10", 0, 1, {{0, 10}}},
    {"bytes=-11", 0, 1, {{0, 10}}},
    {"bytes=-99999999999999999999999999", 0, 1, {{0, 10}}},
    {"BYTES=1-3", 0, 1, {{1, 3}}},
    {"bytes= 1 - 3 ", 0, 1, {{1, 3}}},
    {"bytes=0-1,3-4", 0, 2, {{0, 2}, {3, 2}}},
    {"bytes=8-9 , 0-1,\t-3", 0, 3, {{8, 2}, {0, 2}, {7, 3}}},
    {"bytes=,0-1,,2-3,", 0, 2, {{0, 2}, {2, 2}}},
    {"bytes=0-1,99-100", 0, 1, {{0, 2}}},
    {"bytes=99-,-0,4-4", 0, 1, {{4, 1}}},
    {"bytes=0-4,0-4", 0, 2, {{0, 5}, {0, 5}}},

    {"bytes=500-0", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=5-4", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=10-", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=10-20", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=5000-10000", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=10-,20-30", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=-0", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=18446744073709551616-", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=18446744073709551615-18446744073709551615", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=99999999999999999999-5", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=0-1,5-4", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=-", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=--1", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=1", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=a-b", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=1-b", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=1-2-3", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=+1-2", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=1-2 3-4", RANGE_UNSATISFIABLE, 0, {{0}}},
    {"bytes=0x1-2", RANGE_UNSATISFIABLE, 0, {{0}}},

    {"", RANGE_IGNORED, 0, {{0}}},
    {"bytes", RANGE_IGNORED, 0, {{0}}},
    {"bytes=", RANGE_IGNORED, 0, {{0}}},
    {"bytes= , ", RANGE_IGNORED, 0, {{0}}},
    {"bytes 0-1", RANGE_IGNORED, 0, {{0}}},
    {"items=0-1", RANGE_IGNORED, 0, {{0}}},
    {"0-1", RANGE_IGNORED, 0, {{0}}},
    {"bytes=0-9,0-0", RANGE_IGNORED, 0, {{0}}},
    {"bytes=0-,0-,0-", RANGE_IGNORED, 0, {{0}}},
    {"bytes=0-5,5-9", RANGE_IGNORED, 0, {{0}}},
};

static void check_ranges(const char *header, const struct range *ranges,
                         const struct range *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_case(header, ranges[i].first == expected[i].first);
        assert_case(header, ranges[i].size == expected[i].size);
    }
}

static void ranges_are_read_against_the_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *header = copy_exactly(cases[i].header, strlen(cases[i].header) + 1);
        struct range ranges[RANGE_MAX];
        size_t count = 99;

        assert_case(header, range_parse(header, 10, ranges, &count) == cases[i].expected);
        assert_case(header, count == (cases[i].expected == 0 ? cases[i].count : 99));
        if (cases[i].expected == 0)
            check_ranges(header, ranges, cases[i].ranges, count);
    }
}

static void an_absent_header_asks_for_all(void **state)
{
    struct range ranges[RANGE_MAX];
    size_t count;

    (void)state;
    assert_int_equal(range_parse(NULL, 10, ranges, &count), RANGE_IGNORED);
}

static void an_empty_body_is_always_sent_whole(void **state)
{
    static const char *const headers[] = {"bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0",
                                          "bytes=5-9"};
    struct range ranges[RANGE_MAX];
    size_t count;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
        assert_case(headers[i], range_parse(headers[i], 0, ranges, &count) == RANGE_IGNORED);
    assert_int_equal(range_parse("bytes=5-4", 0, ranges, &count), RANGE_UNSATISFIABLE);
}

static void the_largest_sizes_do_not_overflow(void **state)
{
    struct range ranges[RANGE_MAX];
    size_t count;

    (void)state;
    assert_int_equal(range_parse("bytes=0-", UINT64_MAX, ranges, &count), 0);
    assert_true(ranges[0].first == 0 && ranges[0].size == UINT64_MAX);
    assert_int_equal(range_parse("bytes=18446744073709551614-", UINT64_MAX, ranges, &count), 0);
    assert_true(ranges[0].first == UINT64_MAX - 1 && ranges[0].size == 1);
    assert_int_equal(range_parse("bytes=0-,1-", UINT64_MAX, ranges, &count), RANGE_IGNORED);
    assert_int_equal(range_parse("bytes=1-9223372036854775808", UINT64_MAX, ranges, &count), 0);
    assert_true(ranges[0].size == (uint64_t)1 << 63);
}

static void the_number_of_ranges_is_bounded(void **state)
{
    char header[64 * 1024];

    (void)state;
    for (size_t wanted = RANGE_MAX - 1; wanted < 5000;
         wanted = wanted < RANGE_MAX + 2 ? wanted + 1 : wanted * 7) {
        struct range ranges[RANGE_MAX];
        size_t count = 0;
        int length = snprintf(header, sizeof(header), "bytes=");

        for (size_t i = 0; i < wanted; i++)
            length += snprintf(header + length, sizeof(header) - (size_t)length, "%s%zu-%zu",
                               i ? "," : "", 2 * i, 2 * i);
        assert_int_equal(range_parse(header, 1 << 20, ranges, &count),
                         wanted <= RANGE_MAX ? 0 : RANGE_IGNORED);
        assert_int_equal(count, wanted <= RANGE_MAX ? wanted : 0);
    }
}

static void the_content_range_of_a_chunk_is_two_numbers(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "0-",
        "-1",
        "1-0",
        "0",
        "bytes 0-9/10",
        "bytes 0-9",
        "0-9/10",
        "0-9/*",
        " 0-9",
        "0-9 ",
        "0 - 9",
        "a-b",
        "0-9,",
        "+0-9",
        "0x0-9",
        "0-9223372036854775808",
        "18446744073709551616-18446744073709551617",
    };
    uint64_t first = 77, last = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_case(bad[i], range_parse_content(bad[i], &first, &last) == -EINVAL);
    assert_true(first == 77 && last == 77);
    assert_int_equal(range_parse_content("0-9", &first, &last), 0);
    assert_true(first == 0 && last == 9);
    assert_int_equal(range_parse_content("0-0", &first, &last), 0);
    assert_true(first == 0 && last == 0);
    assert_int_equal(range_parse_content("007-9223372036854775807", &first, &last), 0);
    assert_true(first == 7 && last == INT64_MAX);
}

static void lengths_are_digits_within_64_bits(void **state)
{
    static const char *const bad[] = {"",    " ",   "-1", "+1", "1 ",  " 1",
                                      "1.0", "0x1", "a",  "1a", "1,1", "99999999999999999999a"};
    static const char *const large[] = {"18446744073709551616", "18446744073709551620",
                                        "99999999999999999999999"};
    uint64_t value = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_case(bad[i], range_parse_length(bad[i], &value) == -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(large); i++)
        assert_case(large[i], range_parse_length(large[i], &value) == -ERANGE);
    assert_int_equal(value, 77);
    assert_int_equal(range_parse_length("0", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(range_parse_length("0018446744073709551615", &value), 0);
    assert_true(value == UINT64_MAX);
}

static void etags_are_found_in_lists(void **state)
{
    static const char *const etag = "\"sha256:abc\"";
    static const char *const matching[] = {
        "\"sha256:abc\"",
        "W/\"sha256:abc\"",
        "*",
        " \"sha256:abc\" ",
        "\"x\", \"sha256:abc\"",
        "\"x\",W/\"y\",\"sha256:abc\"",
        "\"a,b\" , \"sha256:abc\"",
        "\"\",\"sha256:abc\"",
        "sha256:abc",
        "x, sha256:abc",
        "\"x\", *",
    };
    static const char *const others[] = {
        "",
        " ",
        ",",
        "\"",
        "\"sha256:abc",
        "sha256:abc\"",
        "\"sha256:abd\"",
        "\"sha256:ab\"",
        "\"sha256:abcd\"",
        "W/",
        "\"\"",
        "\"x\"",
        "sha256:ab",
        "sha256:abcd",
        "w/\"sha256:abc\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(matching); i++)
        assert_case(matching[i], range_matches_etag(matching[i], etag));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_case(others[i], !range_matches_etag(others[i], etag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read_against_the_size),
        cmocka_unit_test(an_absent_header_asks_for_all),
        cmocka_unit_test(an_empty_body_is_always_sent_whole),
        cmocka_unit_test(the_largest_sizes_do_not_overflow),
        cmocka_unit_test(the_number_of_ranges_is_bounded),
        cmocka_unit_test(the_content_range_of_a_chunk_is_two_numbers),
        cmocka_unit_test(lengths_are_digits_within_64_bits),
        cmocka_unit_test(etags_are_found_in_lists),
    };

    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
