#include "registry/spec/escape.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static void all_but_unreserved_characters_are_escaped(void **state)
{
    static const struct {
        const char *text, *query, *path;
    } cases[] = {
        {"", "", ""},
        {"aZ09-._~", "aZ09-._~", "aZ09-._~"},
        {"a/b", "a%2Fb", "a/b"},
        {"sha256:x", "sha256%3Ax", "sha256:x"},
        {"a b+c", "a%20b%2Bc", "a%20b%2Bc"},
        {"a&b=c?#%", "a%26b%3Dc%3F%23%25", "a%26b%3Dc%3F%23%25"},
        {"\xC3\xA9\x7F\x01", "%C3%A9%7F%01", "%C3%A9%7F%01"},
        {"<>\"", "%3C%3E%22", "%3C%3E%22"},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(escape_query(cases[i].text, strlen(cases[i].text), text, sizeof(text)), 0);
        assert_string_equal(text, cases[i].query);
        assert_int_equal(escape_path(cases[i].text, strlen(cases[i].text), text, sizeof(text)), 0);
        assert_string_equal(text, cases[i].path);
    }
    assert_int_equal(escape_query("\0", 1, text, sizeof(text)), 0);
    assert_string_equal(text, "%00");
}

static void results_that_do_not_fit_are_refused(void **state)
{
    char text[5];

    (void)state;
    assert_int_equal(escape_query("abcd", 4, text, 5), 0);
    assert_int_equal(escape_query("abcde", 5, text, 5), -E2BIG);
    assert_int_equal(escape_query("a/", 2, text, 5), 0);
    assert_int_equal(escape_query("ab/", 3, text, 5), -E2BIG);
    assert_int_equal(escape_query("", 0, text, 0), -E2BIG);
    assert_int_equal(escape_query("", 0, text, 1), 0);
    assert_int_equal(escape_decode("%41%42%43%44", 12, ESCAPE_PATH, text, 5), 0);
    assert_string_equal(text, "ABCD");
    assert_int_equal(escape_decode("abcde", 5, ESCAPE_PATH, text, 5), -E2BIG);
    assert_int_equal(escape_decode("", 0, ESCAPE_PATH, text, 0), -E2BIG);
    assert_int_equal(escape_find("k=abcde", "k", text, 5), -E2BIG);
    assert_int_equal(escape_find("k=abcd", "k", text, 5), 0);
}

static void escapes_are_decoded(void **state)
{
    static const struct {
        const char *text, *plain, *query;
    } cases[] = {
        {"", "", ""},
        {"abc", "abc", "abc"},
        {"%61%2f%2F", "a//", "a//"},
        {"a+b", "a+b", "a b"},
        {"%2B", "+", "+"},
        {"%25", "%", "%"},
        {"%ff%C3", "\xFF\xC3", "\xFF\xC3"},
    };
    char text[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i].text);
        CLEANUP_FREE char *copy = copy_exactly(cases[i].text, size);

        assert_int_equal(escape_decode(copy, size, ESCAPE_PATH, text, sizeof(text)), 0);
        assert_string_equal(text, cases[i].plain);
        assert_int_equal(escape_decode(copy, size, ESCAPE_QUERY, text, sizeof(text)), 0);
        assert_string_equal(text, cases[i].query);
    }
}

static void bad_escapes_and_nuls_are_refused(void **state)
{
    static const char *const cases[] = {"%",    "%4",  "a%",    "%g0", "%0g", "%%41",
                                        "% 41", "%00", "a%00b", "%-1", "%0x"};
    char text[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i]);
        CLEANUP_FREE char *copy = copy_exactly(cases[i], size);

        assert_case(cases[i], escape_decode(copy, size, ESCAPE_PATH, text, sizeof(text)) == -EINVAL);
    }
    assert_int_equal(escape_decode("a\0b", 3, ESCAPE_PATH, text, sizeof(text)), -EINVAL);
}

static void values_are_found_by_their_keys(void **state)
{
    static const struct {
        const char *query, *key, *value;
    } cases[] = {
        {"n=5", "n", "5"},
        {"n=5&last=a", "last", "a"},
        {"last=a%2Fb", "last", "a/b"},
        {"x=1&n=2&n=3", "n", "2"},
        {"n", "n", ""},
        {"n=", "n", ""},
        {"&&n=1&&", "n", "1"},
        {"nn=1&n=2", "n", "2"},
        {"n=a=b", "n", "a=b"},
        {"%6e=1", "n", "1"},
        {"a+b=1", "a b", "1"},
        {"n=a+b", "n", "a b"},
        {"%zz=1&n=2", "n", "2"},
        {"%00=1&n=2", "n", "2"},
        {"=1&n=2", "", "1"},
        {"n=?x", "n", "?x"},
    };
    char value[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_case(cases[i].query,
                    escape_find(cases[i].query, cases[i].key, value, sizeof(value)) == 0);
        assert_string_equal(value, cases[i].value);
    }
}

static void missing_keys_are_not_found(void **state)
{
    static const char *const queries[] = {"",     "&",    "N=1", "nn=1", "m=n",
                                          "m=1&", "%6=n", "=n",  "m=&n"};
    char value[16];

    (void)state;
    for (size_t i = 0; i + 1 < ARRAY_SIZE(queries); i++)
        assert_case(queries[i], escape_find(queries[i], "n", value, sizeof(value)) == -ENOENT);
    assert_int_equal(escape_find("m=&n", "n", value, sizeof(value)), 0);
    assert_int_equal(escape_find("n=%00", "n", value, sizeof(value)), -EINVAL);
    assert_int_equal(escape_find("n=%", "n", value, sizeof(value)), -EINVAL);
    assert_int_equal(escape_find("n=%4&n=1", "n", value, sizeof(value)), -EINVAL);
}

static void each_value_of_a_key_comes_in_turn(void **state)
{
    const char *query = "tag=a&x=y&tag=b%20c&tag=%00&tag=waytoolongforthis&tag&tag=z";
    char value[8];

    (void)state;
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), 0);
    assert_string_equal(value, "a");
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), 0);
    assert_string_equal(value, "b c");
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), -EINVAL);
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), -E2BIG);
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), 0);
    assert_string_equal(value, "");
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), 0);
    assert_string_equal(value, "z");
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), -ENOENT);
    assert_int_equal(escape_find_next(&query, "tag", value, sizeof(value)), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_but_unreserved_characters_are_escaped),
        cmocka_unit_test(results_that_do_not_fit_are_refused),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(bad_escapes_and_nuls_are_refused),
        cmocka_unit_test(values_are_found_by_their_keys),
        cmocka_unit_test(missing_keys_are_not_found),
        cmocka_unit_test(each_value_of_a_key_comes_in_turn),
    };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
