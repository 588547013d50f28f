#include "registry/http/head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

#define HOST "Host: a\r\n"

static struct {
    char text[HEAD_SIZE_MAX * 2];
    struct head head;
    struct head_flaw flaw;
} parsed;

/* Returns 0 if the head is valid, or the status of the refusal. */
static unsigned parse(const char *text)
{
    size_t size = strlen(text), scanned = 0;
    int end = head_scan(text, size, &scanned);

    assert_true(size < sizeof(parsed.text));
    if (end < 0) {
        head_describe_failure(text, size, end, &parsed.flaw);
        return parsed.flaw.status;
    }
    assert_true(end > 0);
    memcpy(parsed.text, text, (size_t)end);
    return head_parse(parsed.text, (size_t)end, &parsed.head, &parsed.flaw) ? 0
                                                                            : parsed.flaw.status;
}

static void a_head_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        parse("PUT /v2/a?b=c HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\nx-padded: \t a  b \t\r\n"
              "Content-Length: 12\r\nExpect: 100-Continue\r\n\r\n"),
        0);
    assert_string_equal(parsed.head.method, "PUT");
    assert_string_equal(parsed.head.target, "/v2/a?b=c");
    assert_int_equal(parsed.head.minor, 1);
    assert_string_equal(head_find(&parsed.head, "HOST"), "example.com");
    assert_string_equal(head_find(&parsed.head, "x-empty"), "");
    assert_string_equal(head_find(&parsed.head, "X-Padded"), "a  b");
    assert_null(head_find(&parsed.head, "X"));
    assert_int_equal(parsed.head.body_size, 12);
    assert_true(parsed.head.keeps_alive && parsed.head.expects_continue);
}

static void the_end_is_found_in_pieces(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\nmore";
    const size_t size = strlen(text) - strlen("more");
    size_t scanned = 0;

    (void)state;
    for (size_t given = 0; given < size; given++)
        assert_int_equal(head_scan(text, given, &scanned), 0);
    assert_int_equal(head_scan(text, strlen(text), &scanned), (int)size);
}

static void a_connection_stays_or_ends(void **state)
{
    static const struct {
        const char *head;
        bool keeps_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: TE, Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(parse(cases[i].head), 0);
        assert_int_equal(parsed.head.keeps_alive, cases[i].keeps_alive);
    }
}

/* Requests that two parsers could read differently, and invalid requests. */
static void refusals_have_their_status(void **state)
{
    static const struct {
        const char *head;
        unsigned status;
    } cases[] = {
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"\x16\x03\x01", 400},
        {"GET /\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400},
        {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", 505},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
        {"GET / http/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: 1\r\n 2\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X : 1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": 1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
        {"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n", 413},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n", 413},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned status = parse(cases[i].head);

        if (status != cases[i].status)
            fail_msg("%s: %u, not %u", cases[i].head, status, cases[i].status);
    }
}

static void a_nul_is_refused_anywhere(void **state)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    const size_t size = sizeof(text) - 1;

    (void)state;
    for (size_t i = 0; i < size; i++) {
        char copy[sizeof(text)];
        size_t scanned = 0;

        memcpy(copy, text, sizeof(text));
        copy[i] = '\0';
        if (head_scan(copy, size, &scanned) > 0)
            assert_false(head_parse(copy, size, &parsed.head, &parsed.flaw));
    }
}

static void sizes_and_numbers_are_bounded(void **state)
{
    static char text[HEAD_SIZE_MAX * 2];
    size_t at = 0;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "GET /", 5);
    assert_int_equal(parse(text), 414);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    assert_int_equal(parse(text), 431);
    at = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i <= HEAD_HEADERS_MAX; i++)
        at += (size_t)sprintf(text + at, "X: 1\r\n");
    strcpy(text + at, "\r\n");
    assert_int_equal(parse(text), 431);
}

static void a_whole_url_is_its_path_and_its_host(void **state)
{
    static const struct {
        const char *target, *path;
    } cases[] = {
        {"http://b:5000/v2/?n=1", "/v2/?n=1"},
        {"HTTPS://b:5000/v2/", "/v2/"},
        {"http://b:5000", "/"},
        {"http://b:5000?n=1", "/?n=1"},
    };
    static const char *const bad[] = {"http://", "http:///v2/", "http://user@b/v2/", "https://?n"};
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nX: y\r\n" HOST "\r\n", cases[i].target);
        assert_int_equal(parse(text), 0);
        assert_string_equal(parsed.head.target, cases[i].path);
        assert_string_equal(parsed.head.authority, "b:5000");
        assert_string_equal(head_find(&parsed.head, "Host"), "b:5000");
        assert_string_equal(head_find(&parsed.head, "X"), "y");
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", bad[i]);
        assert_int_equal(parse(text), 400);
    }
    assert_int_equal(parse("GET http://b/v2/ HTTP/1.1\r\n\r\n"),
                     400); /* a Host header is still required */
    assert_int_equal(parse("GET /v2/ HTTP/1.1\r\n" HOST "\r\n"), 0);
    assert_null(parsed.head.authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read),
        cmocka_unit_test(the_end_is_found_in_pieces),
        cmocka_unit_test(a_connection_stays_or_ends),
        cmocka_unit_test(refusals_have_their_status),
        cmocka_unit_test(a_nul_is_refused_anywhere),
        cmocka_unit_test(sizes_and_numbers_are_bounded),
        cmocka_unit_test(a_whole_url_is_its_path_and_its_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
