#include "registry/access/ask-password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/* Prompts need a terminal; the end-to-end tests cover them. */

static int read_bytes(const char *bytes, size_t size, struct secbuf *password, struct error *err)
{
    CLEANUP_CLOSE int fd = open("input", O_RDWR | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(file_write_all(fd, bytes, size), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return ask_password_from(fd, password, err);
}

#define check_read(literal, expected)                                                              \
    do {                                                                                           \
        CLEANUP(secbuf_done) struct secbuf password = {0};                                         \
        struct error err;                                                                          \
        assert_int_equal(read_bytes("" literal, sizeof(literal) - 1, &password, &err), 0);         \
        assert_holds(&password, expected);                                                         \
    } while (0)

static void one_line_end_is_dropped(void **state)
{
    (void)state;
    check_read("secret", "secret");
    check_read("secret\n", "secret");
    check_read("secret\r\n", "secret");
    check_read("secret\r", "secret\r");
    check_read("", "");
    check_read("\n", "");
    check_read("\r\n", "");
    check_read(" se:cret \t\n", " se:cret \t");
    check_read("\303\244\xff\n", "\303\244\xff");
}

#define check_refused(literal, text)                                                               \
    do {                                                                                           \
        CLEANUP(secbuf_done) struct secbuf password = {0};                                         \
        struct error err = {0};                                                                    \
        assert_true(read_bytes("" literal, sizeof(literal) - 1, &password, &err) < 0);             \
        assert_says(&err, text);                                                                   \
        assert_int_equal(password.size, 0);                                                        \
    } while (0)

static void invalid_passwords_are_refused(void **state)
{
    (void)state;
    check_refused("two\nlines", "must be one line");
    check_refused("two\nlines\n", "must be one line");
    check_refused("secret\n\n", "must be one line");
    check_refused("\nsecret", "must be one line");
    check_refused("sec\0ret\n", "without a NUL");
}

static void the_length_is_bounded(void **state)
{
    static const struct {
        size_t size;
        const char *end;
        bool is_taken;
    } cases[] = {
        {255, "", true},  {255, "\n", true},  {255, "\r\n", true},
        {256, "", false}, {256, "\n", false}, {256, "\r\n", false},
        {257, "", false}, {258, "", false},   {5000, "\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(secbuf_done) struct secbuf password = {0};
        struct error err = {0};
        char text[5010];
        int r;

        fill(text, 'x', cases[i].size);
        memcpy(text + cases[i].size, cases[i].end, strlen(cases[i].end) + 1);
        r = read_bytes(text, strlen(text), &password, &err);
        assert_int_equal(r, cases[i].is_taken ? 0 : -EMSGSIZE);
        assert_int_equal(password.size, cases[i].is_taken ? cases[i].size : 0);
    }
}

static void a_read_error_is_a_failure(void **state)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(ask_password_from(-1, &password, &err), -EBADF);
    assert_says(&err, "cannot read the password from standard input");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(one_line_end_is_dropped),
        scratch_test(invalid_passwords_are_refused),
        scratch_test(the_length_is_bounded),
        scratch_test(a_read_error_is_a_failure),
    };

    return cmocka_run_group_tests_name("ask-password", tests, NULL, NULL);
}
