#include "common/json-quote.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

/* Quotes size bytes into a buffer of exactly the length that json_quote() computed. */
static struct secbuf quote(const char *bytes, size_t size)
{
    char *text = copy_exactly(bytes, size);
    size_t length = json_quote(text, size, NULL);
    char *quoted = malloc(length);
    struct secbuf result = {0};

    assert_non_null(quoted);
    assert_int_equal(json_quote(text, size, quoted), length);
    assert_int_equal(secbuf_append(&result, quoted, length), 0);
    free(quoted);
    free(text);
    return result;
}

static void assert_is_quoted(const char *bytes, size_t size, const char *expected)
{
    CLEANUP(secbuf_done) struct secbuf quoted = quote(bytes, size);

    check_holds(&quoted, expected, strlen(expected), __FILE__, __LINE__);
}

static void texts_are_quoted_as_in_go(void **state)
{
    static const struct { const char *text, *quoted; } cases[] = {
        {"", "\"\""},
        {"abc", "\"abc\""},
        {"https://index.docker.io/v1/", "\"https://index.docker.io/v1/\""},
        {"<token>", "\"\\u003ctoken\\u003e\""},
        {"a&b", "\"a\\u0026b\""},
        {"\"\\", "\"\\\"\\\\\""},
        {"\n\r\t", "\"\\n\\r\\t\""},
        {"'`=+/", "\"'`=+/\""},
        {"\x7F", "\"\x7F\""},
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"\xE2\x80\xA8\xE2\x80\xA9", "\"\\u2028\\u2029\""},
        {"\xE2\x80\xA7\xE2\x80\xAA", "\"\xE2\x80\xA7\xE2\x80\xAA\""},
        {"\xEF\xBF\xBD", "\"\xEF\xBF\xBD\""}, /* U+FFFD itself is text */
        {"\xEF\xBB\xBF", "\"\xEF\xBB\xBF\""},
        {"\\u0041", "\"\\\\u0041\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_is_quoted(cases[i].text, strlen(cases[i].text), cases[i].quoted);
}

static void invalid_utf8_is_escaped_byte_by_byte(void **state)
{
    static const struct { const char *text, *quoted; } cases[] = {
        {"\xFF", "\"\\ufffd\""},
        {"a\xC0\x80z", "\"a\\ufffd\\ufffdz\""},
        {"\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xE2\x82", "\"\\ufffd\\ufffd\""},
        {"\xF0\x9F\x98", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xC3<", "\"\\ufffd\\u003c\""},
        {"\xC3\"", "\"\\ufffd\\\"\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_is_quoted(cases[i].text, strlen(cases[i].text), cases[i].quoted);
}

static void every_single_byte_is_quoted(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char byte = (char)c;
        char expected[16];

        if (c == '\n' || c == '\r' || c == '\t')
            snprintf(expected, sizeof(expected), "\"\\%c\"", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c < 0x20 || c == '<' || c == '>' || c == '&')
            snprintf(expected, sizeof(expected), "\"\\u%04x\"", (unsigned int)c);
        else if (c == '"' || c == '\\')
            snprintf(expected, sizeof(expected), "\"\\%c\"", c);
        else
            snprintf(expected, sizeof(expected), c < 0x80 ? "\"%c\"" : "\"\\ufffd\"", c);
        assert_is_quoted(&byte, 1, expected);
    }
}

static void nuls_are_text(void **state)
{
    (void)state;
    assert_is_quoted("a\0b\0", 4, "\"a\\u0000b\\u0000\"");
}

static void empty_input_is_an_empty_string(void **state)
{
    (void)state;
    assert_int_equal(json_quote(NULL, 0, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_quoted_as_in_go),
        cmocka_unit_test(invalid_utf8_is_escaped_byte_by_byte),
        cmocka_unit_test(every_single_byte_is_quoted),
        cmocka_unit_test(nuls_are_text),
        cmocka_unit_test(empty_input_is_an_empty_string),
    };

    return cmocka_run_group_tests_name("json-quote", tests, NULL, NULL);
}
