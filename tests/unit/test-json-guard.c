#include "common/json-guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

#define FFFD "\xEF\xBF\xBD" /* U+FFFD */

/* The text is in memory of exactly its size, so that reads beyond it are detected. */
static int guard(const char *bytes, size_t size, struct secbuf *ret_value)
{
    char *text = copy_exactly(bytes, size);
    int r = json_guard(text, size, ret_value);

    free(text);
    return r;
}

static int guard_text(const char *text, struct secbuf *ret_value)
{
    return guard(text, strlen(text), ret_value);
}

static void assert_becomes(const char *text, const char *expected)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};
    int r = guard_text(text, &value);

    assert_case(text, r == 0);
    check_holds(&value, expected, strlen(expected), __FILE__, __LINE__);
}

static void assert_is_refused(const char *text)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};

    assert_case(text, guard_text(text, &value) == -EBADMSG);
}

static void valid_values_pass_unchanged(void **state)
{
    static const char *const cases[] = {
        "null", "true", "false", "\"\"", "\"a\"", "{}", "[]", "[[],{}]", "{\"a\":{\"b\":[1,\"2\",null]}}",
        "[true,false,null]", "{\"\":\"\"}", "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\uFFFF\"", "\"\x7F\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
        "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"" FFFD "\"", "\"\xEF\xBB\xBF\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_becomes(cases[i], cases[i]);
}

static void numbers_of_the_grammar_pass(void **state)
{
    static const char *const cases[] = {
        "0", "-0", "7", "-7", "10", "1234567890", "0.5", "-0.50", "1e5", "1E5", "1e+5", "1e-05", "0e0", "1.25E+10",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_becomes(cases[i], cases[i]);
}

/* cJSON of Ubuntu 24.04 reads 63 characters of a number and refuses the rest. */
static void a_number_too_long_for_cjson_becomes_infinite(void **state)
{
    char number[71] = "", expected[71] = "";

    (void)state;
    memset(number, '1', 62);
    assert_becomes(number, number);
    memset(number, '1', 70);
    snprintf(expected, sizeof(expected), "%-70s", "1e999");
    assert_becomes(number, expected);
    number[1] = '.';
    assert_becomes(number, expected);
}

static void numbers_of_other_grammars_are_refused(void **state)
{
    static const char *const cases[] = {
        "-", "+1", ".5", "-.5", "1.", "1.e5", "1e", "1e+", "1E-", "--1", "01", "-01", "00", "[01]", "[0x10]", "[1_0]",
        "Infinity", "-Infinity", "NaN", "[1,2.]", "[1e]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_is_refused(cases[i]);
}

static void white_space_between_is_left_out(void **state)
{
    (void)state;
    assert_becomes(" \t\r\n{ \"a b\" : [ 1 ,\n2 ] ,\t\"c\" : { } } ", "{\"a b\":[1,2],\"c\":{}}");
    assert_becomes("\n[\r]\n", "[]");
}

static void other_white_space_is_refused(void **state)
{
    static const char *const cases[] = {
        "\v1", "\f1", "\xC2\xA0{}", "\xE2\x80\xA8{}", "[1,\v2]", "{\"a\"\f:1}", "\xEF\xBB\xBF{}", "\xFE\xFF{}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_is_refused(cases[i]);
}

static void bytes_after_the_first_value_are_ignored(void **state)
{
    static const struct { const char *text, *first; } cases[] = {
        {"{}x", "{}"}, {"{}{}", "{}"}, {"{} }", "{}"}, {"[1]]", "[1]"}, {"\"a\"\"", "\"a\""}, {"null,", "null"},
        {"nullx", "null"}, {"1 2", "1"}, {"12a", "12"}, {"{\"a\":1}\xFF\x01", "{\"a\":1}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_becomes(cases[i].text, cases[i].first);
}

static void bad_grammar_is_refused(void **state)
{
    static const char *const cases[] = {
        "", " \t\r\n", "x", "nul", "Null", "TRUE", "True", "falsE", "'a'", "a", "\\", ",", ":", "}", "]", "//\n{}", "/**/{}",
        "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1:2]", "[}", "[\"a\":1]", "{]", "{,}", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "{\"a\",1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{[]:1}",
        "{\"a\"::1}", "{\"a\":1:2}", "{:1}", "{\"a\":1]", "[1}", "[{]}", "{\"a\":[}]",
        "{\"a\":1,,\"b\":2}", "{,\"a\":1}", "[tru]", "[nullx]", "[\"a\" \"b\"]", "[[1]", "{\"a\":{}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_is_refused(cases[i]);
}

static void every_truncation_of_a_document_is_refused(void **state)
{
    static const char text[] = "{\"a\\u0041\\n\": [1.5e+3, true, null, \"\\ud83d\\ude00\xE2\x82\xAC\"], \"b\": {\"c\": -0}}";

    (void)state;
    for (size_t size = 0; size + 1 < sizeof(text) - 1; size++) {
        CLEANUP(secbuf_done) struct secbuf value = {0};

        assert_int_equal(guard(text, size, &value), -EBADMSG);
    }
    assert_becomes(text, "{\"a\\u0041\\n\":[1.5e+3,true,null,\"\\ud83d\\ude00\xE2\x82\xAC\"],\"b\":{\"c\":-0}}");
}

static void raw_control_bytes_are_refused_in_strings_and_names(void **state)
{
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        CLEANUP(secbuf_done) struct secbuf value = {0};
        char string[] = "\"a?b\"", name[] = "{\"?\":1}", between[] = "[1,?2]";

        string[2] = name[2] = between[3] = (char)c;
        assert_int_equal(guard(string, 5, &value), -EBADMSG);
        assert_int_equal(guard(name, 7, &value), -EBADMSG);
        assert_int_equal(guard(between, 6, &value), strchr("\t\n\r", c) && c ? 0 : -EBADMSG);
    }
}

static void bad_escapes_are_refused(void **state)
{
    static const char *const cases[] = {
        "\"\\\"", "\"\\", "\"\\a\"", "\"\\v\"", "\"\\0\"", "\"\\x41\"", "\"\\'\"", "\"\\U0041\"", "\"\\N\"", "\"\\u\"",
        "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\u+123\"", "\"\\u 123\"", "\"\\u-001\"", "\"\\uD83D\\u\"",
        "\"\\uD83D\\u12\"", "\"\\uD83D\\x\"", "\"\\uD83D\\", "\"\\\n\"", "{\"\\a\":1}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_is_refused(cases[i]);
}

static void an_escaped_nul_is_encoded_for_cjson(void **state)
{
    (void)state;
    assert_becomes("\"a\\u0000b\"", "\"a" JSON_NUL_BYTES "b\"");
    assert_becomes("{\"a\\u0000\":1}", "{\"a" JSON_NUL_BYTES "\":1}");
    assert_becomes("\"\\u0000\\u0000\"", "\"" JSON_NUL_BYTES JSON_NUL_BYTES "\"");
    assert_becomes("\"\\\\u0000\"", "\"\\\\u0000\"");
}

static void the_encoding_of_nul_cannot_be_forged(void **state)
{
    (void)state;
    assert_becomes("\"" JSON_NUL_BYTES "\"", "\"" FFFD FFFD "\"");
    assert_becomes("\"\\u00C0\\u0080\"", "\"\\u00C0\\u0080\"");
}

static void a_raw_nul_is_refused_anywhere(void **state)
{
    static const struct { const char *name, *text; size_t size; } cases[] = {
        {"alone", "\0", 1}, {"before", "\0{}", 3}, {"in a string", "\"a\0b\"", 5}, {"between", "[1\0]", 4},
        {"in a literal", "nu\0l", 4}, {"in an escape", "\"\\\0\"", 4}, {"in a code", "\"\\u00\0" "0\"", 8},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(secbuf_done) struct secbuf value = {0};

        assert_case(cases[i].name, guard(cases[i].text, cases[i].size, &value) == -EBADMSG);
    }
}

static void invalid_utf8_becomes_u_fffd(void **state)
{
    (void)state;
    assert_becomes("\"a\xFFz\"", "\"a" FFFD "z\"");
    assert_becomes("\"\xE2\x82\"", "\"" FFFD FFFD "\"");
    assert_becomes("\"\xED\xA0\x80\"", "\"" FFFD FFFD FFFD "\"");
    assert_becomes("{\"\x80\":\"\xF4\x90\x80\x80\"}", "{\"" FFFD "\":\"" FFFD FFFD FFFD FFFD "\"}");
    assert_becomes("\"\xC3\\n\"", "\"" FFFD "\\n\"");
}

static void lone_surrogates_become_u_fffd(void **state)
{
    static const struct { const char *text, *expected; } cases[] = {
        {"\"\\ud83d\"", "\"" FFFD "\""},
        {"\"\\ude00\"", "\"" FFFD "\""},
        {"\"\\ude00\\ud83d\"", "\"" FFFD FFFD "\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"" FFFD "\\ud83d\\ude00\""},
        {"\"\\ud83dx\"", "\"" FFFD "x\""},
        {"\"\\ud83d\\n\"", "\"" FFFD "\\n\""},
        {"\"\\ud83d\\u0041\"", "\"" FFFD "\\u0041\""},
        {"\"\\ud83d\\u0000\"", "\"" FFFD JSON_NUL_BYTES "\""},
        {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\"\\uD800\\uDC00\\uDBFF\\uDFFF\""},
        {"\"\\uDC00\\uDC00\"", "\"" FFFD FFFD "\""},
        {"\"\\uD7FF\\uE000\"", "\"\\uD7FF\\uE000\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_becomes(cases[i].text, cases[i].expected);
}

/* depth times the opening text, inner, depth times the closing one; free with free(). */
static char *nest(const char *open, const char *inner, const char *close, int depth)
{
    size_t size = strlen(inner) + (strlen(open) + strlen(close)) * (size_t)depth + 1;
    char *text = malloc(size), *at = text;

    assert_non_null(text);
    for (int i = 0; i < depth; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, inner);
    for (int i = 0; i < depth; i++)
        at = stpcpy(at, close);
    assert_ptr_equal(at + 1, text + size);
    return text;
}

static int guard_nested(const char *open, const char *inner, const char *close, int depth)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};
    CLEANUP_FREE char *text = nest(open, inner, close, depth);

    return guard_text(text, &value);
}

static void the_nesting_limit_is_that_of_go(void **state)
{
    (void)state;
    assert_int_equal(guard_nested("[", "", "]", 10000), 0);
    assert_int_equal(guard_nested("[", "", "]", 10001), -EBADMSG);
    assert_int_equal(guard_nested("{\"a\":", "1", "}", 10000), 0);
    assert_int_equal(guard_nested("{\"a\":", "1", "}", 10001), -EBADMSG);
    assert_int_equal(guard_nested("[{\"a\":", "[1,{}]", "}]", 4999), 0);
    assert_int_equal(guard_nested("[", "", "", 100000), -EBADMSG);
}

static void values_deeper_than_500_levels_become_null(void **state)
{
    CLEANUP_FREE char *kept = nest("[", "1", "]", 500);
    CLEANUP_FREE char *deep = nest("[", "[{\"a\":[1,\"\\u0000\xFF\"]}, 2], 3", "]", 500);
    CLEANUP_FREE char *shortened = nest("[", "null,3", "]", 500);

    (void)state;
    assert_becomes(kept, kept);
    assert_becomes(deep, shortened);
}

static void values_that_become_null_must_be_valid_json(void **state)
{
    (void)state;
    assert_int_equal(guard_nested("[", "1,", "]", 600), -EBADMSG);
    assert_int_equal(guard_nested("[", "\"\x01\"", "]", 600), -EBADMSG);
    assert_int_equal(guard_nested("[", "01", "]", 600), -EBADMSG);
    assert_int_equal(guard_nested("[", "{]", "]", 600), -EBADMSG);
}

static void the_value_is_appended(void **state)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};

    (void)state;
    assert_int_equal(secbuf_append(&value, "x=", 2), 0);
    assert_int_equal(guard_text(" [1] ", &value), 0);
    assert_holds(&value, "x=[1]");
}

static void empty_text_is_refused(void **state)
{
    CLEANUP(secbuf_done) struct secbuf value = {0};

    (void)state;
    assert_int_equal(json_guard(NULL, 0, &value), -EBADMSG);
}

static void a_full_buffer_is_out_of_memory(void **state)
{
    static const char *const cases[] = {"[]", "1", "\"a\"", "\"\\n\"", "\"\\u0000\"", "\"\xFF\"", "null", "{\"a\":1}"};
    unsigned char byte;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct secbuf full = {.data = &byte, .size = SECBUF_MAX, .capacity = SECBUF_MAX};

        assert_int_equal(guard_text(cases[i], &full), -ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_values_pass_unchanged),
        cmocka_unit_test(numbers_of_the_grammar_pass),
        cmocka_unit_test(a_number_too_long_for_cjson_becomes_infinite),
        cmocka_unit_test(numbers_of_other_grammars_are_refused),
        cmocka_unit_test(white_space_between_is_left_out),
        cmocka_unit_test(other_white_space_is_refused),
        cmocka_unit_test(bytes_after_the_first_value_are_ignored),
        cmocka_unit_test(bad_grammar_is_refused),
        cmocka_unit_test(every_truncation_of_a_document_is_refused),
        cmocka_unit_test(raw_control_bytes_are_refused_in_strings_and_names),
        cmocka_unit_test(bad_escapes_are_refused),
        cmocka_unit_test(an_escaped_nul_is_encoded_for_cjson),
        cmocka_unit_test(the_encoding_of_nul_cannot_be_forged),
        cmocka_unit_test(a_raw_nul_is_refused_anywhere),
        cmocka_unit_test(invalid_utf8_becomes_u_fffd),
        cmocka_unit_test(lone_surrogates_become_u_fffd),
        cmocka_unit_test(the_nesting_limit_is_that_of_go),
        cmocka_unit_test(values_deeper_than_500_levels_become_null),
        cmocka_unit_test(values_that_become_null_must_be_valid_json),
        cmocka_unit_test(the_value_is_appended),
        cmocka_unit_test(empty_text_is_refused),
        cmocka_unit_test(a_full_buffer_is_out_of_memory),
    };

    return cmocka_run_group_tests_name("json-guard", tests, NULL, NULL);
}
