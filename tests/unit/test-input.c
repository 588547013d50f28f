#include "helper/input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "helper/protocol.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/* Returns a pipe that contains these bytes and then ends. */
static int pipe_with(const char *bytes, size_t size)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, size), size);
    close(ends[1]);
    return ends[0];
}

static void line_ends_are_dropped_and_lines_joined(void **state)
{
    static const struct { const char *text, *joined; } cases[] = {
        {"", ""}, {"a", "a"}, {"a\n", "a"}, {"a\r\n", "a"}, {"a\nb", "ab"}, {"a\r\nb\r\n", "ab"}, {"\n", ""}, {"\r\n", ""},
        {"\n\n\r\n\n", ""}, {"a\n\nb\n", "ab"}, {"{\"a\":\n  1\n}\n", "{\"a\":  1}"}, {" a \n b ", " a  b "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_CLOSE int fd = pipe_with(cases[i].text, strlen(cases[i].text));
        CLEANUP(secbuf_done) struct secbuf text = {0};
        struct error err;

        assert_case(cases[i].text, input_read(fd, &text, &err) == 0);
        check_holds(&text, cases[i].joined, strlen(cases[i].joined), __FILE__, __LINE__);
    }
}

/* Go's scanner removes one "\r" from each line, also from a last line without a newline. */
static void carriage_returns_elsewhere_are_kept(void **state)
{
    static const struct { const char *text, *joined; } cases[] = {
        {"\r", ""}, {"a\r", "a"}, {"a\rb", "a\rb"}, {"\ra", "\ra"}, {"a\r\r\n", "a\r"}, {"a\r\r", "a\r"}, {"a\r\rb\n", "a\r\rb"},
        {"a\n\r", "a"}, {"a\n\rb", "a\rb"}, {"a\r\n\r\n\r", "a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_CLOSE int fd = pipe_with(cases[i].text, strlen(cases[i].text));
        CLEANUP(secbuf_done) struct secbuf text = {0};
        struct error err;

        assert_case(cases[i].text, input_read(fd, &text, &err) == 0);
        check_holds(&text, cases[i].joined, strlen(cases[i].joined), __FILE__, __LINE__);
    }
}

static void bytes_of_any_kind_are_kept(void **state)
{
    CLEANUP_CLOSE int fd = pipe_with("a\0b\xFF\v\f\0", 7);
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct error err;

    (void)state;
    assert_int_equal(input_read(fd, &text, &err), 0);
    assert_holds(&text, "a\0b\xFF\v\f\0");
}

static void dropped_bytes_are_wiped(void **state)
{
    CLEANUP_CLOSE int fd = pipe_with("\n\n\n\nabcd", 8);
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct error err;

    (void)state;
    assert_int_equal(input_read(fd, &text, &err), 0);
    assert_holds(&text, "abcd");
    assert_memory_equal(text.data + 4, "\0\0\0\0", 4);
}

/* size bytes of which every 1000th is a newline, or none is. */
static int memory_of(size_t size, bool has_lines)
{
    int fd = memfd_create("test", 0);
    char *bytes = malloc(size + 1);

    assert_true(fd >= 0 && bytes);
    fill(bytes, 'x', size);
    for (size_t i = 999; has_lines && i < size; i += 1000)
        bytes[i] = '\n';
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    free(bytes);
    return fd;
}

static void the_documented_maximum_is_read(void **state)
{
    static const size_t sizes[] = {4095, 4096, 4097, 65535, 65536, 65537, INPUT_MAX - 1, INPUT_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        CLEANUP_CLOSE int fd = memory_of(sizes[i], false);
        CLEANUP(secbuf_done) struct secbuf text = {0};
        struct error err;

        assert_int_equal(input_read(fd, &text, &err), 0);
        assert_int_equal(text.size, sizes[i]);
        assert_int_equal(text.data[0], 'x');
        assert_int_equal(text.data[sizes[i] - 1], 'x');
    }
}

static void more_is_refused(void **state)
{
    static const size_t sizes[] = {INPUT_MAX + 1, INPUT_MAX + 5000, 3 * INPUT_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        CLEANUP_CLOSE int fd = memory_of(sizes[i], i == 0);
        CLEANUP(secbuf_done) struct secbuf text = {0};
        struct error err = {0};

        assert_int_equal(input_read(fd, &text, &err), -EFBIG);
        assert_says(&err, "1048576 bytes");
    }
}

static void many_lines_are_joined(void **state)
{
    CLEANUP_CLOSE int fd = memory_of(INPUT_MAX, true);
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct error err;

    (void)state;
    assert_int_equal(input_read(fd, &text, &err), 0);
    assert_int_equal(text.size, INPUT_MAX - INPUT_MAX / 1000);
    assert_null(memchr(text.data, '\n', text.size));
}

static void read_errors_are_reported(void **state)
{
    CLEANUP_CLOSE int directory = open("/", O_RDONLY | O_DIRECTORY);
    CLEANUP_CLOSE int write_only = open("/dev/null", O_WRONLY);
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(input_read(directory, &text, &err), -EISDIR);
    assert_says(&err, "standard input");
    assert_int_equal(input_read(write_only, &text, &err), -EBADF);
    assert_int_equal(input_read(-1, &text, &err), -EBADF);
    assert_int_equal(input_read_url(-1, &text, &err), -EBADF);
}

static int alarm_pipe[2];

static void on_alarm(int number)
{
    (void)number;
    if (write(alarm_pipe[1], "late\n", 5) == 5)
        close(alarm_pipe[1]);
}

static void an_interrupted_read_continues(void **state)
{
    const struct itimerval soon = {.it_value.tv_usec = 5000};
    struct sigaction action = {.sa_handler = on_alarm};
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct error err;

    (void)state;
    assert_int_equal(pipe(alarm_pipe), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0); /* no SA_RESTART: read() fails with EINTR */
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(input_read(alarm_pipe[0], &text, &err), 0);
    assert_holds(&text, "late");
    close(alarm_pipe[0]);
    signal(SIGALRM, SIG_DFL);
}

static void a_url_is_trimmed_of_white_space(void **state)
{
    static const struct { const char *text, *url; } cases[] = {
        {"https://a.b", "https://a.b"},
        {"https://a.b\n", "https://a.b"},
        {" \t\v\f\r\n https://a.b \r\n\r\n ", "https://a.b"},
        {"https://\na.b", "https://a.b"},
        {"a b\n", "a b"},
        {"\xC2\x85\xC2\xA0\xE3\x80\x80" "a\xE3\x80\x80\xC2\xA0\xC2\x85\n", "a"},
        {"\xFF\n", "\xFF"},
        {"\xE2\x80\x8B", "\xE2\x80\x8B"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_CLOSE int fd = pipe_with(cases[i].text, strlen(cases[i].text));
        CLEANUP(secbuf_done) struct secbuf url = {0};
        struct error err;

        assert_case(cases[i].text, input_read_url(fd, &url, &err) == 0);
        check_holds(&url, cases[i].url, strlen(cases[i].url), __FILE__, __LINE__);
    }
}

static void an_empty_url_has_the_text_that_clients_compare(void **state)
{
    static const char *const cases[] = {"", "\n", " \t\r\n", "\xC2\xA0\n\xE3\x80\x80"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_CLOSE int fd = pipe_with(cases[i], strlen(cases[i]));
        CLEANUP(secbuf_done) struct secbuf url = {0};
        struct error err = {0};

        assert_true(input_read_url(fd, &url, &err) < 0);
        assert_string_equal(err.text, PROTOCOL_NO_SERVER_URL);
        assert_holds(&url, "");
    }
}

static void a_nul_is_part_of_a_url(void **state)
{
    CLEANUP_CLOSE int fd = pipe_with(" \0a\0 ", 5);
    CLEANUP(secbuf_done) struct secbuf url = {0};
    struct error err;

    (void)state;
    assert_int_equal(input_read_url(fd, &url, &err), 0);
    assert_holds(&url, "\0a\0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(line_ends_are_dropped_and_lines_joined),
        scratch_test(carriage_returns_elsewhere_are_kept),
        scratch_test(bytes_of_any_kind_are_kept),
        scratch_test(dropped_bytes_are_wiped),
        scratch_test(the_documented_maximum_is_read),
        scratch_test(more_is_refused),
        scratch_test(many_lines_are_joined),
        scratch_test(read_errors_are_reported),
        scratch_test(an_interrupted_read_continues),
        scratch_test(a_url_is_trimmed_of_white_space),
        scratch_test(an_empty_url_has_the_text_that_clients_compare),
        scratch_test(a_nul_is_part_of_a_url),
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
