#include "registry/http/chunked.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

/* The bytes sent, and the resulting body or failure. */
static const struct {
    const char *sent;
    int64_t expected;
    const char *body;
} cases[] = {
    {"0\r\n\r\n", 0, ""},
    {"5\r\nhello\r\n0\r\n\r\n", 0, "hello"},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 0, "hello world"},
    {"A\r\n0123456789\r\n0\r\n\r\n", 0, "0123456789"},
    {"a\r\n0123456789\r\n00\r\n\r\n", 0, "0123456789"},
    {"5;name=value\r\nhello\r\n0;\"quoted\"\r\n\r\n", 0, "hello"},
    {"2\r\n\r\n\r\n0\r\nTrailer: 1\r\nOther: 2\r\n\r\n", 0, "\r\n"},
    {"", 0, NULL},
    {"5\r\nhel", 0, NULL},
    {"5\r\nhello\r\n0\r\n", 0, NULL},
    {"5\nhello\r\n0\r\n\r\n", -EBADMSG, NULL},
    {"5\r\rhello", -EBADMSG, NULL},
    {"5;a\nhello\r\n0\r\n\r\n", -EBADMSG, NULL},
    {"5\r\nhelloX\r\n", -EBADMSG, NULL},
    {"5\r\nhello\n0\r\n\r\n", -EBADMSG, NULL},
    {"5 \r\nhello\r\n", -EBADMSG, NULL},
    {" 5\r\nhello\r\n", -EBADMSG, NULL},
    {"+5\r\nhello\r\n", -EBADMSG, NULL},
    {"0x5\r\nhello\r\n", -EBADMSG, NULL},
    {"\r\nhello\r\n", -EBADMSG, NULL},
    {";a\r\nhello\r\n", -EBADMSG, NULL},
    {"0\r\nTrailer: 1\n\r\n", -EBADMSG, NULL},
    {"0\r\n\rX", -EBADMSG, NULL},
    {"0\r\nTrailer: \x01\r\n\r\n", -EBADMSG, NULL},
    {"fffffffffffffffff\r\n", -EFBIG, NULL},
    {"8000000000000000\r\n", -EFBIG, NULL},
    {"00000000000000001\r\n", -EFBIG, NULL},
};

/*
 * Decodes in pieces of at most step bytes. Returns 0 with the complete body, 1 if it is incomplete,
 * or a negative error.
 */
static int64_t decode(const char *sent, size_t step, char *ret_body)
{
    struct chunked chunked = {0};
    size_t size = strlen(sent), at = 0, used = 0;

    while (chunked.state != CHUNKED_END && at < size) {
        struct chunked_piece piece;
        size_t given = size - at < step ? size - at : step;
        int64_t taken = chunked_decode(&chunked, sent + at, given, &piece);

        if (taken < 0)
            return taken;
        assert_true(taken > 0 && (size_t)taken <= given);
        if (piece.size > 0)
            memcpy(ret_body + used, piece.data, piece.size);
        used += piece.size;
        at += (size_t)taken;
    }
    ret_body[used] = '\0';
    return chunked.state == CHUNKED_END ? 0 : 1;
}

static void bodies_are_read_in_pieces_of_any_size(void **state)
{
    char body[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t step = 1; step <= strlen(cases[i].sent) + 1; step++) {
            int64_t found = decode(cases[i].sent, step, body);
            int64_t expected = cases[i].expected == 0 && !cases[i].body ? 1 : cases[i].expected;

            if (found != expected || (found == 0 && strcmp(body, cases[i].body) != 0))
                fail_msg("case %zu in pieces of %zu: %lld", i, step, (long long)found);
        }
}

static void bytes_after_the_end_are_not_consumed(void **state)
{
    static const char sent[] = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    struct chunked chunked = {0};
    struct chunked_piece piece;
    size_t at = 0;

    (void)state;
    while (chunked.state != CHUNKED_END)
        at += (size_t)chunked_decode(&chunked, sent + at, strlen(sent) - at, &piece);
    assert_string_equal(sent + at, "GET / HTTP/1.1\r\n");
}

static void extensions_and_trailers_are_bounded(void **state)
{
    static char sent[20000];
    char body[256];

    (void)state;
    memset(sent, 'x', sizeof(sent) - 1);
    memcpy(sent, "5;", 2);
    assert_int_equal(decode(sent, sizeof(sent), body), -E2BIG);
    memcpy(sent, "0\r\n", 3);
    assert_int_equal(decode(sent, sizeof(sent), body), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_read_in_pieces_of_any_size),
        cmocka_unit_test(bytes_after_the_end_are_not_consumed),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
