#include "registry/spec/framing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "tests/unit/check.h"

#define HEAD(method, headers) method " /v2/ HTTP/1.1\r\nHost: a\r\n" headers "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

/* What comes in; how much of it is passed on, all if NULL; the status of the refusal, 0 for none. */
static const struct {
    const char *text, *passed;
    unsigned status;
} cases[] = {
    {HEAD("GET", ""), NULL, 0},
    {"\r\n\r\n" HEAD("GET", ""), NULL, 0},
    {"GET / HTTP/1.0\r\n\r\n", NULL, 0},
    {"GET / HTTP/1.7\r\nHost:\r\n\r\n", NULL, 0},
    {HEAD("GET", "") HEAD("HEAD", "X:\t a b \t\r\nY:\r\n"), NULL, 0},
    {HEAD("PUT", "Content-Length: 5 \r\n") "\r\n\r\n\n" HEAD("GET", ""), NULL, 0},
    {HEAD("PUT", "content-LENGTH:0\r\n") HEAD("GET", ""), NULL, 0},
    {HEAD("PUT", "transfer-encoding:CHUNKED\r\n") "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n" HEAD("GET", ""), NULL, 0},
    {HEAD("PUT", CHUNKED) "0\r\nX: y\r\nContent-Length: 5\r\n\r\n" HEAD("GET", ""), NULL, 0},
    {HEAD("PUT", CHUNKED) "1;a=b;c\r\nx\r\n0;last\r\n\r\n", HEAD("PUT", CHUNKED) "1\r\nx\r\n0\r\n\r\n", 0},

    {"GET /v2/\r\n\r\n", "", 400},
    {"GET  /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", "", 400},
    {"GET /v2/ /x HTTP/1.1\r\nHost: a\r\n\r\n", "", 400},
    {"GET /v2/\tHTTP/1.1\r\nHost: a\r\n\r\n", "", 400},
    {"GET /v2/ http/1.1\r\n", "", 400},
    {"GET /v2/ HTTP/2.0\r\n", "", 505},
    {"GET /v2/ HTTP/0.9\r\n", "", 505},
    {"G@T", "", 400},
    {"\x16\x03\x01", "", 400},
    {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400},
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", "", 400},
    {"GET / HTTP/1.1\r\nHost: a\n", "", 400},
    {HEAD("GET", "X: a\n"), "", 400},
    {HEAD("GET", "X: a\rContent-Length: 5\r\n"), "", 400},
    {HEAD("GET", " folded: 1\r\n"), "", 400},
    {HEAD("PUT", "Content-Length:\r\n 5\r\n"), "", 400},
    {HEAD("PUT", "X: 1\r\n\tchunked\r\n"), "", 400},
    {HEAD("GET", "X\r\n"), "", 400},
    {HEAD("GET", ": 1\r\n"), "", 400},
    {HEAD("GET", "X : 1\r\n"), "", 400},
    {HEAD("GET", "X: \x7f\r\n"), "", 400},
    {HEAD("GET", "Host: b\r\n"), "", 400},
    {"GET / HTTP/1.1\r\n\r\n", "", 400},
    {HEAD("GET", "Authorization: a\r\nauthorization: b\r\n"), "", 400},
    {HEAD("PUT", "Content-Length: 1\r\nContent-Length: 1\r\n"), "", 400},
    {HEAD("PUT", "Content-Length: 1\r\n" CHUNKED), "", 400},
    {HEAD("PUT", CHUNKED CHUNKED), "", 400},
    {HEAD("PUT", "Transfer-Encoding: gzip, chunked\r\n"), "", 400},
    {HEAD("PUT", "Transfer-Encoding:\r\n"), "", 400},
    {"PUT / HTTP/1.0\r\n" CHUNKED "\r\n", "", 400},
    {HEAD("PUT", "Content-Length: -1\r\n"), "", 400},
    {HEAD("PUT", "Content-Length:\r\n"), "", 400},
    {HEAD("PUT", "Content-Length: 1, 1\r\n"), "", 400},
    {HEAD("PUT", "Content-Length: 9223372036854775808\r\n"), "", 400},
    {HEAD("PUT", "Content-Length: 18446744073709551616\r\n"), "", 413},
    {HEAD("PUT", "Content-Length: 99999999999999999999999999999999999999\r\n"), "", 413},
    {HEAD("PUT", CHUNKED) "zz\r\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "\r\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) ";a\r\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "5 \r\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "5\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "5\r\r\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "5;a\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "00000000000000005\r\n", HEAD("PUT", CHUNKED), 400},
    {HEAD("PUT", CHUNKED) "fffffffffffffffff\r\n", HEAD("PUT", CHUNKED), 413},
    {HEAD("PUT", CHUNKED) "1\r\nxx", HEAD("PUT", CHUNKED) "1\r\nx", 400},
    {HEAD("PUT", CHUNKED) "1\r\nx\n", HEAD("PUT", CHUNKED) "1\r\nx", 400},
    {HEAD("GET", "") HEAD("GET", "X\r\n") HEAD("DELETE", ""), HEAD("GET", ""), 400},
};

/* Shows text in pieces of step bytes; answers what was passed on, owned by the caller. */
static char *show(struct framing *framing, const char *text, size_t size, size_t step, size_t *ret_size)
{
    char *passed = malloc(size + 1);

    *ret_size = 0;
    for (size_t at = 0; at < size; at += step) {
        size_t piece = size - at < step ? size - at : step;

        memcpy(passed + *ret_size, text + at, piece);
        *ret_size += framing_take(framing, passed + *ret_size, piece);
    }
    passed[*ret_size] = '\0';
    return passed;
}

static void check_framing(size_t i, size_t step, bool is_passed_checked)
{
    const char *wanted = cases[i].passed ? cases[i].passed : cases[i].text;
    struct framing framing = {0};
    size_t size;
    CLEANUP_FREE char *passed = show(&framing, cases[i].text, strlen(cases[i].text), step, &size);

    if (cases[i].status)
        assert_int_equal(framing.state, FRAMING_REFUSED);
    else
        assert_null(framing.flaw);
    if (cases[i].status)
        assert_int_equal(framing.flaw->status, cases[i].status);
    if (is_passed_checked)
        assert_string_equal(passed, wanted);
    framing_done(&framing);
}

static void in_one_piece(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_framing(i, 1 << 20, true);
}

/* Of what is refused more has been passed on by then. */
static void in_pieces(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++)
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
            check_framing(i, step, cases[i].status == 0);
}

/* A head with filler repeated count times in the middle, and its refusal's status. */
static unsigned status_of(const char *start, const char *filler, size_t count, const char *end)
{
    struct framing framing = {0};
    size_t filler_size = strlen(filler), size = strlen(start) + count * filler_size + strlen(end), passed_size;
    CLEANUP_FREE char *text = malloc(size + 1);
    char *to = stpcpy(text, start);
    unsigned status;

    for (size_t i = 0; i < count; i++)
        to = stpcpy(to, filler);
    stpcpy(to, end);
    free(show(&framing, text, size, 1000, &passed_size));
    status = framing.state == FRAMING_REFUSED ? framing.flaw->status : 0;
    framing_done(&framing);
    return status;
}

static void of_limited_size(void **state)
{
    static const char line[] = "GET / HTTP/1.1\r\nHost: a\r\n";

    (void)state;
    assert_int_equal(status_of("GET /", "a", 12000, " HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    assert_int_equal(status_of("GET /", "a", 12400, " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
    assert_int_equal(status_of("GET /?", "a&", 200, " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
    assert_int_equal(status_of(line, "X: 1\r\n", 100, "\r\n"), 0);
    assert_int_equal(status_of(line, "X: 1\r\n", 200, "\r\n"), 431);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: ", "a", 12000, "\r\n\r\n"), 0);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nCookie: ", "a", 5900, "\r\n\r\n"), 0);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nCookie: ", "a", 6200, "\r\n\r\n"), 431);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nContent-Length: x\r\nX: ", "a", 13000, "\r\n\r\n"), 431);
    assert_int_equal(status_of(HEAD("PUT", CHUNKED), "1;a=b\r\nx\r\n", 5000, "0\r\n\r\n"), 431);
    assert_int_equal(status_of(HEAD("PUT", CHUNKED), "1\r\nx\r\n", 50000, "0\r\n\r\n"), 0);
}

static void with_a_nul(void **state)
{
    static const char text[] = "GET /v2/\0a HTTP/1.1\r\nHost: a\r\n\r\n";
    struct framing framing = {0};
    size_t size;

    (void)state;
    free(show(&framing, text, sizeof(text) - 1, 1000, &size));
    assert_int_equal(size, 0);
    assert_int_equal(framing.state, FRAMING_REFUSED);
    assert_int_equal(framing.flaw->status, 400);
    framing_done(&framing);
}

static void keeps_the_target_of_a_flawed_request(void **state)
{
    static const char text[] = HEAD("GET", "") "HEAD /other?a=b HTTP/1.1\r\n\r\n";
    struct framing framing = {0};
    size_t size;

    (void)state;
    free(show(&framing, text, sizeof(text) - 1, 1000, &size));
    assert_string_equal(framing.target, "/other?a=b");
    assert_true(framing.is_head_method);
    framing_done(&framing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_piece),
        cmocka_unit_test(in_pieces),
        cmocka_unit_test(of_limited_size),
        cmocka_unit_test(with_a_nul),
        cmocka_unit_test(keeps_the_target_of_a_flawed_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
