#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static struct json *parse(const char *text)
{
    struct json *document = NULL;

    assert_case(text, json_parse(text, strlen(text), &document) == 0);
    assert_non_null(document);
    return document;
}

static void each_type_is_recognised(void **state)
{
    static const struct { const char *text; enum json_type type; } cases[] = {
        {"null", JSON_NULL}, {"true", JSON_BOOL}, {"false", JSON_BOOL}, {"0", JSON_NUMBER}, {"-1.5e300", JSON_NUMBER},
        {"\"\"", JSON_STRING}, {"\"null\"", JSON_STRING}, {"[]", JSON_ARRAY}, {"{}", JSON_OBJECT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(json_freep) struct json *document = parse(cases[i].text);

        assert_int_equal(json_get_type(document), cases[i].type);
        assert_null(json_get_first(document));
        assert_null(json_get_next(document));
        assert_null(json_get_name(document));
    }
}

static void members_come_in_order_with_duplicates(void **state)
{
    static const struct { const char *name; enum json_type type; } expected[] = {
        {"b", JSON_NUMBER}, {"a", JSON_STRING}, {"b", JSON_NULL}, {"", JSON_ARRAY}, {"B", JSON_OBJECT},
    };
    CLEANUP(json_freep) struct json *document = parse("{\"b\":1,\"a\":\"\",\"b\":null,\"\":[],\"B\":{}}");
    const struct json *member = json_get_first(document);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++, member = json_get_next(member)) {
        assert_non_null(member);
        assert_string_equal(json_get_name(member), expected[i].name);
        assert_int_equal(json_get_type(member), expected[i].type);
    }
    assert_null(member);
}

static void elements_of_an_array_have_no_name(void **state)
{
    CLEANUP(json_freep) struct json *document = parse("[\"a\",[{}]]");
    const struct json *element = json_get_first(document);

    (void)state;
    assert_null(json_get_name(element));
    assert_int_equal(json_get_type(element), JSON_STRING);
    element = json_get_next(element);
    assert_int_equal(json_get_type(element), JSON_ARRAY);
    assert_int_equal(json_get_type(json_get_first(element)), JSON_OBJECT);
    assert_null(json_get_next(element));
}

static void strings_are_copied_with_their_escapes_undone(void **state)
{
    static const struct { const char *text, *bytes; size_t size; } cases[] = {
        {"\"\"", "", 0},
        {"\"abc\"", "abc", 3},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10},
        {"\"\\ud83d\"", "\xEF\xBF\xBD", 3},
        {"\"\xFF\"", "\xEF\xBF\xBD", 3},
        {"\"\\u0000\"", "\0", 1},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\u0000\\u0000a\\u0000\"", "\0\0a\0", 4},
        {"\"\xC0\x80\"", "\xEF\xBF\xBD\xEF\xBF\xBD", 6},
        {"\"\\u007f\x7F\"", "\x7F\x7F", 2},
        {"\"\xEF\xBB\xBF\"", "\xEF\xBB\xBF", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(json_freep) struct json *document = parse(cases[i].text);
        CLEANUP(secbuf_done) struct secbuf text = {0};

        assert_int_equal(json_copy_string(document, &text), 0);
        check_holds(&text, cases[i].bytes, cases[i].size, __FILE__, __LINE__);
    }
}

static void a_string_is_appended_to_existing_content(void **state)
{
    CLEANUP(json_freep) struct json *document = parse("\"b\\u0000\"");
    CLEANUP(secbuf_done) struct secbuf text = {0};

    (void)state;
    assert_int_equal(secbuf_append(&text, "a", 1), 0);
    assert_int_equal(json_copy_string(document, &text), 0);
    assert_holds(&text, "ab\0");
}

static void a_name_is_never_truncated_to_another(void **state)
{
    CLEANUP(json_freep) struct json *document = parse("{\"Secret\\u0000x\":1}");

    (void)state;
    assert_string_not_equal(json_get_name(json_get_first(document)), "Secret");
}

static void only_the_first_value_is_read(void **state)
{
    CLEANUP(json_freep) struct json *document = parse(" [] {\"a\"");

    (void)state;
    assert_int_equal(json_get_type(document), JSON_ARRAY);
}

static void invalid_json_is_refused(void **state)
{
    static const char *const cases[] = {
        "", " ", "{", "{\"a\":01}", "\xEF\xBB\xBF{}", "\"\x01\"", "{\"a\":1,}", "[1,]", "nul", "\"\\x\"", "tru",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct json *document = NULL;

        assert_case(cases[i], json_parse(cases[i], strlen(cases[i]), &document) == -EBADMSG);
        assert_null(document);
    }
}

/* The helper uses no numbers, so it must accept any that a client sends. */
static void numbers_of_any_length_are_read(void **state)
{
    static const struct { const char *before, *after; } cases[] = {
        {"{\"a\":", "}"}, {"[", ",2]"}, {"", ""}, {"-", ""}, {"0.", ""}, {"1e-", ""}, {"[1.5e", "]"},
    };
    char digits[400], text[500];

    (void)state;
    for (size_t count = 1; count < sizeof(digits); count += 21) {
        fill(digits, '1', count);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            struct json *document;

            snprintf(text, sizeof(text), "%s%s%s", cases[i].before, digits, cases[i].after);
            document = parse(text);
            json_free(document);
        }
    }
}

static void the_deepest_nesting_does_not_overflow_the_stack(void **state)
{
    enum { DEPTH = 10000 };
    char *text = malloc(2 * DEPTH + 1);
    struct json *document = NULL;

    (void)state;
    assert_non_null(text);
    fill(text, '[', DEPTH);
    fill(text + DEPTH, ']', DEPTH);
    assert_int_equal(json_parse(text, 2 * DEPTH, &document), 0);
    json_free(document);
    free(text);
}

/* libgcrypt's function; only the files that keep secrets include its header. */
int gcry_is_secure(const void *memory);

static void only_secrets_are_in_secure_memory(void **state)
{
    static const char text[] = "[\"secret\",{\"name\":1}]";
    CLEANUP(json_freep) struct json *secret = parse(text), *public = NULL;

    (void)state;
    assert_int_equal(json_parse_public(text, sizeof(text) - 1, &public), 0);
    assert_true(gcry_is_secure(secret));
    assert_true(gcry_is_secure(json_get_text(json_get_first(secret))));
    assert_false(gcry_is_secure(public));
    assert_false(gcry_is_secure(json_get_text(json_get_first(public))));
}

/* --- contents of a document ----------------------------------------------------------- */

static void the_last_member_of_a_name_is_found(void **state)
{
    CLEANUP(json_freep) struct json *document = parse("{\"a\":1,\"A\":[],\"a\":\"x\",\"a\\u0000\":2,\"\":{}}");

    (void)state;
    assert_int_equal(json_get_type(json_find(document, "a")), JSON_STRING);
    assert_int_equal(json_get_type(json_find(document, "A")), JSON_ARRAY);
    assert_int_equal(json_get_type(json_find(document, "")), JSON_OBJECT);
    assert_null(json_find(document, "b"));
    assert_null(json_find(json_find(document, "A"), "a"));
    assert_null(json_find(NULL, "a"));
}

static void texts_are_strings_without_nuls(void **state)
{
    CLEANUP(json_freep) struct json *document = parse("[\"a\",\"\",\"a\\u0000b\",1,null]");
    const struct json *item = json_get_first(document);

    (void)state;
    assert_string_equal(json_get_text(item), "a");
    item = json_get_next(item);
    assert_string_equal(json_get_text(item), "");
    for (item = json_get_next(item); item; item = json_get_next(item))
        assert_null(json_get_text(item));
    assert_null(json_get_text(NULL));
    assert_null(json_get_text(document));
}

static void integers_are_exact_or_refused(void **state)
{
    static const struct { const char *text; int expected; int64_t value; } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"-5", 0, -5},
        {"9007199254740992", 0, 9007199254740992},
        {"-9007199254740992", 0, -9007199254740992},
        {"1e3", 0, 1000},
        {"9007199254740994", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0},
        {"1e400", -ERANGE, 0},
        {"-1e400", -ERANGE, 0},
        {"1.5", -EINVAL, 0},
        {"1e-3", -EINVAL, 0},
        {"\"1\"", -EINVAL, 0},
        {"null", -EINVAL, 0},
        {"[1]", -EINVAL, 0},
    };
    int64_t value;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(json_freep) struct json *document = parse(cases[i].text);

        value = 77;
        assert_case(cases[i].text, json_get_integer(document, &value) == cases[i].expected);
        assert_case(cases[i].text, value == (cases[i].expected == 0 ? cases[i].value : 77));
    }
    assert_int_equal(json_get_integer(NULL, &value), -EINVAL);
}

static void documents_are_written_without_white_space(void **state)
{
    static const struct { const char *text, *expected; } cases[] = {
        {" { } ", "{}"},
        {"[ ]", "[]"},
        {"[ 1 , 2.5 , -3e2 , 1e400 , true , false , null ]", "[1,2.5,-300,null,true,false,null]"},
        {"{ \"b\" : [ { } , [ ] ] , \"a\" : \"x\" , \"b\" : 1 }", "{\"b\":[{},[]],\"a\":\"x\",\"b\":1}"},
        {"\"\\/<\\u00e9\\n\\\"\"", "\"/\\u003c\xC3\xA9\\n\\\"\""},
        {"\"\\u0000\"", "\"\\u0000\""},
        {"\"a\\u0000\\u0000b\\u0000\"", "\"a\\u0000\\u0000b\\u0000\""},
        {"{\"k\\u0000\":\"\"}", "{\"k\\u0000\":\"\"}"},
        {"9007199254740992", "9007199254740992"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(json_freep) struct json *document = parse(cases[i].text);
        size_t size = json_format(document, NULL);
        CLEANUP_FREE char *text = malloc(size);

        assert_case(cases[i].text, size == strlen(cases[i].expected));
        assert_int_equal(json_format(document, text), size);
        assert_memory_equal(text, cases[i].expected, size);
    }
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    json_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_recognised),
        cmocka_unit_test(members_come_in_order_with_duplicates),
        cmocka_unit_test(elements_of_an_array_have_no_name),
        cmocka_unit_test(strings_are_copied_with_their_escapes_undone),
        cmocka_unit_test(a_string_is_appended_to_existing_content),
        cmocka_unit_test(a_name_is_never_truncated_to_another),
        cmocka_unit_test(only_the_first_value_is_read),
        cmocka_unit_test(invalid_json_is_refused),
        cmocka_unit_test(numbers_of_any_length_are_read),
        cmocka_unit_test(the_deepest_nesting_does_not_overflow_the_stack),
        cmocka_unit_test(only_secrets_are_in_secure_memory),
        cmocka_unit_test(the_last_member_of_a_name_is_found),
        cmocka_unit_test(texts_are_strings_without_nuls),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(documents_are_written_without_white_space),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
