#include "helper/credential.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "helper/protocol.h"
#include "tests/unit/check.h"

static int parse(const char *text, struct credential *ret, struct error *err)
{
    CLEANUP_FREE char *copy = copy_exactly(text, strlen(text));

    return credential_parse(copy, strlen(text), ret, err);
}

static void assert_parsed(const char *text, const char *url, const char *username, const char *secret)
{
    CLEANUP(credential_done) struct credential credential = {0};
    struct error err = {0};

    assert_case(text, parse(text, &credential, &err) == 0);
    check_holds(&credential.server_url, url, strlen(url), __FILE__, __LINE__);
    check_holds(&credential.username, username, strlen(username), __FILE__, __LINE__);
    check_holds(&credential.secret, secret, strlen(secret), __FILE__, __LINE__);
}

static void a_document_is_read(void **state)
{
    (void)state;
    assert_parsed("{\"ServerURL\":\"https://a.b\",\"Username\":\"u\",\"Secret\":\"s\"}", "https://a.b", "u", "s");
    assert_parsed(" { \"Secret\" : \"s\" , \"Username\" : \"u\" , \"ServerURL\" : \"r\" } ", "r", "u", "s");
}

static void a_secret_may_be_empty_or_missing(void **state)
{
    (void)state;
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":\"\"}", "r", "u", "");
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\"}", "r", "u", "");
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":null}", "r", "u", "");
}

static void names_are_matched_in_any_case(void **state)
{
    (void)state;
    assert_parsed("{\"serverurl\":\"r\",\"USERNAME\":\"u\",\"sEcReT\":\"s\"}", "r", "u", "s");
    /* U+017F, a long s; Go's case folding treats it as an s. */
    assert_parsed("{\"\xC5\xBF" "erverURL\":\"r\",\"U\\u017fername\":\"u\",\"\xC5\xBF" "ecret\":\"s\"}", "r", "u", "s");
}

static void other_names_are_ignored(void **state)
{
    static const char *const names[] = {
        "", "Server", "ServerURL ", " ServerURL", "ServerURLs", "Server_URL", "Secret\\u0000", "Secret\\u0000x", "\\u0000Secret",
        "Secre", "Secrett", "3ecret", "\\u0053\\u0065\\u0063", "S\\u00e9cret", "\xC5\xBF", "\xC5", "secre\xC5\xBF", "Secret\xC2\x80",
        "\\u0013ecret", "UserName2",
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(text, sizeof(text), "{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":\"s\",\"%s\":\"x\"}", names[i]);
        assert_parsed(text, "r", "u", "s");
        snprintf(text, sizeof(text), "{\"%s\":[{\"Secret\":1}],\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":\"s\"}", names[i]);
        assert_parsed(text, "r", "u", "s");
    }
}

static void of_duplicates_the_last_wins(void **state)
{
    (void)state;
    assert_parsed("{\"ServerURL\":\"1\",\"Username\":\"u\",\"ServerURL\":\"2\"}", "2", "u", "");
    assert_parsed("{\"ServerURL\":\"1\",\"SERVERURL\":\"2\",\"serverurl\":\"3\",\"Username\":\"u\"}", "3", "u", "");
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"long\",\"username\":\"u\",\"Secret\":\"a\",\"secret\":\"\"}", "r", "u", "");
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\",\"Username\":null}", "r", "u", "");
}

static void nested_names_are_ignored(void **state)
{
    (void)state;
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\",\"x\":{\"Username\":\"v\",\"Secret\":\"s\"}}", "r", "u", "");
}

static void bytes_of_any_kind_are_kept(void **state)
{
    CLEANUP(credential_done) struct credential credential = {0};
    struct error err;

    (void)state;
    assert_int_equal(parse("{\"ServerURL\":\"r\\u0000\",\"Username\":\"\\n\\u0001\",\"Secret\":\"a\\u0000b\\ud83d\xFF\"}",
                           &credential, &err), 0);
    assert_holds(&credential.server_url, "r\0");
    assert_holds(&credential.username, "\n\x01");
    assert_holds(&credential.secret, "a\0b\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void only_the_first_value_is_used(void **state)
{
    (void)state;
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\"}{\"Username\":\"v\"}", "r", "u", "");
    assert_parsed("{\"ServerURL\":\"r\",\"Username\":\"u\"} trailing", "r", "u", "");
}

static void errors_name_the_field(void **state)
{
    static const struct { const char *text, *told; } cases[] = {
        {"", "not valid JSON"},
        {"{", "not valid JSON"},
        {"\xEF\xBB\xBF{}", "not valid JSON"},
        {"{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":\"\x01\"}", "not valid JSON"},
        {"{\"ServerURL\":\"r\",\"Username\":\"u\",}", "not valid JSON"},
        {"{\"ServerURL\":\"r\",\"Username\":\"u\",\"x\":01}", "not valid JSON"},
        {"[]", "not a JSON object"},
        {"[{\"ServerURL\":\"r\",\"Username\":\"u\"}]", "not a JSON object"},
        {"\"ServerURL\"", "not a JSON object"},
        {"1", "not a JSON object"},
        {"true", "not a JSON object"},
        {"{\"ServerURL\":1,\"Username\":\"u\"}", "field ServerURL is not a string"},
        {"{\"ServerURL\":\"r\",\"Username\":[\"u\"]}", "field Username is not a string"},
        {"{\"ServerURL\":\"r\",\"Username\":\"u\",\"secret\":{}}", "field secret is not a string"},
        {"{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":false}", "field Secret is not a string"},
        {"{\"Secret\":1,\"Secret\":\"s\",\"ServerURL\":\"r\",\"Username\":\"u\"}", "field Secret is not a string"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct credential credential = {.username.size = 99};
        struct error err = {0};

        assert_case(cases[i].text, parse(cases[i].text, &credential, &err) == -EINVAL);
        assert_says(&err, cases[i].told);
        assert_int_equal(credential.username.size, 99);
    }
}

static void missing_fields_have_the_texts_that_clients_compare(void **state)
{
    static const struct { const char *text, *told; } cases[] = {
        {"null", PROTOCOL_NO_SERVER_URL},
        {"{}", PROTOCOL_NO_SERVER_URL},
        {"{\"Username\":\"u\"}", PROTOCOL_NO_SERVER_URL},
        {"{\"ServerURL\":\"\",\"Username\":\"\"}", PROTOCOL_NO_SERVER_URL},
        {"{\"ServerURL\":null,\"Username\":\"u\"}", PROTOCOL_NO_SERVER_URL},
        {"{\"ServerURL\":\"r\",\"ServerURL\":\"\",\"Username\":\"u\"}", PROTOCOL_NO_SERVER_URL},
        {"{\"ServerURL\":\"r\"}", PROTOCOL_NO_USERNAME},
        {"{\"ServerURL\":\"r\",\"Username\":\"\",\"Secret\":\"s\"}", PROTOCOL_NO_USERNAME},
        {"{\"ServerURL\":\" \",\"Username\":null}", PROTOCOL_NO_USERNAME},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct credential credential;
        struct error err = {0};

        assert_case(cases[i].text, parse(cases[i].text, &credential, &err) < 0);
        assert_string_equal(err.text, cases[i].told);
    }
}

static int append(struct secbuf *buf, const char *bytes, size_t size)
{
    return secbuf_append(buf, bytes, size);
}

static void an_answer_has_the_format_of_go(void **state)
{
    CLEANUP(credential_done) struct credential credential = {0};
    CLEANUP(secbuf_done) struct secbuf text = {0};

    (void)state;
    assert_int_equal(append(&credential.server_url, "https://a/?b&c", 14), 0);
    assert_int_equal(append(&credential.username, "<token>", 7), 0);
    assert_int_equal(append(&credential.secret, "s\"\n\0\xFF", 5), 0);
    assert_int_equal(credential_format(&credential, &text), 0);
    assert_holds(&text, "{\"ServerURL\":\"https://a/?b\\u0026c\",\"Username\":\"\\u003ctoken\\u003e\","
                 "\"Secret\":\"s\\\"\\n\\u0000\\ufffd\"}\n");
}

static void empty_fields_are_formatted_too(void **state)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    const struct credential empty = {0};

    (void)state;
    assert_int_equal(append(&text, "x", 1), 0);
    assert_int_equal(credential_format(&empty, &text), 0);
    assert_holds(&text, "x{\"ServerURL\":\"\",\"Username\":\"\",\"Secret\":\"\"}\n");
}

static void an_answer_can_be_read_as_a_document(void **state)
{
    CLEANUP(credential_done) struct credential credential = {0}, again = {0};
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct error err;

    (void)state;
    for (int c = 0; c < 128; c++)
        assert_int_equal(append(&credential.secret, &(const char){(char)c}, 1), 0);
    assert_int_equal(append(&credential.server_url, "\xE2\x80\xA8\xF0\x9F\x98\x80", 7), 0);
    assert_int_equal(append(&credential.username, "\\\"", 2), 0);
    assert_int_equal(credential_format(&credential, &text), 0);
    assert_int_equal(credential_parse(text.data, text.size, &again, &err), 0);
    assert_true(secbuf_is_equal(&again.server_url, &credential.server_url));
    assert_true(secbuf_is_equal(&again.username, &credential.username));
    assert_true(secbuf_is_equal(&again.secret, &credential.secret));
}

static void a_full_buffer_is_out_of_memory(void **state)
{
    const struct credential empty = {0};
    unsigned char byte;
    struct secbuf full = {.data = &byte, .size = SECBUF_MAX, .capacity = SECBUF_MAX};

    (void)state;
    assert_int_equal(credential_format(&empty, &full), -ENOMEM);
    assert_int_equal(credential_append_quoted(&full, "a", 1), -ENOMEM);
    assert_int_equal(full.size, SECBUF_MAX);
}

/* Returns the CPU seconds for a document that contains piece count times. */
static double time_to_parse(const char *before, const char *piece, size_t count, const char *after)
{
    size_t size = strlen(before) + strlen(piece) * count + strlen(after) + 1;
    CLEANUP(credential_done) struct credential credential = {0};
    char *text = malloc(size), *at = text;
    struct error err;
    clock_t start;

    assert_non_null(text);
    at = stpcpy(at, before);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, piece);
    at = stpcpy(at, after);
    assert_ptr_equal(at + 1, text + size);
    start = clock();
    assert_int_equal(credential_parse(text, strlen(text), &credential, &err), 0);
    free(text);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Four times the size takes four times the time, not sixteen; times below a tenth of a second are not compared. */
static void ignored_content_costs_linear_time(void **state)
{
    static const struct { const char *before, *piece, *after; } cases[] = {
        {"{\"x\":[0", ",1", "],\"ServerURL\":\"r\",\"Username\":\"u\"}"},
        {"{\"x\":[{}", ",{\"a\":[]}", "],\"ServerURL\":\"r\",\"Username\":\"u\"}"},
        {"{", "\"a\":\"b\",", "\"ServerURL\":\"r\",\"Username\":\"u\"}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double some = time_to_parse(cases[i].before, cases[i].piece, 4000, cases[i].after);
        double more = time_to_parse(cases[i].before, cases[i].piece, 16000, cases[i].after);

        assert_case(cases[i].piece, more < 0.1 || more < 9 * some);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read),
        cmocka_unit_test(a_secret_may_be_empty_or_missing),
        cmocka_unit_test(names_are_matched_in_any_case),
        cmocka_unit_test(other_names_are_ignored),
        cmocka_unit_test(of_duplicates_the_last_wins),
        cmocka_unit_test(nested_names_are_ignored),
        cmocka_unit_test(bytes_of_any_kind_are_kept),
        cmocka_unit_test(only_the_first_value_is_used),
        cmocka_unit_test(errors_name_the_field),
        cmocka_unit_test(missing_fields_have_the_texts_that_clients_compare),
        cmocka_unit_test(an_answer_has_the_format_of_go),
        cmocka_unit_test(empty_fields_are_formatted_too),
        cmocka_unit_test(an_answer_can_be_read_as_a_document),
        cmocka_unit_test(a_full_buffer_is_out_of_memory),
        cmocka_unit_test(ignored_content_costs_linear_time),
    };

    return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
