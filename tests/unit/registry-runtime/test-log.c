#include "registry/runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static int saved = -1;

/* Standard error goes to the file "log" until assert_logged() or read_log(). */
static void capture(void)
{
    CLEANUP_CLOSE int fd = open("log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

    fflush(stderr);
    saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
}

static char *read_log(size_t *ret_size)
{
    CLEANUP_CLOSE int fd = -1;
    char *text = NULL;

    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(steal_fd(&saved));
    fd = open("log", O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_read_all(fd, 1 << 20, &text, ret_size), 0);
    return text;
}

/* wanted has "T" in place of a time. */
static void assert_logged(const char *wanted)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    CLEANUP_FREE char *text = NULL, *shown = NULL;
    const char *at;
    size_t size, used = 0;

    text = read_log(&size);
    shown = calloc(1, size + 1);
    assert_non_null(shown);
    for (at = text; *at; at++) {
        size_t i = 0;

        while (form[i] && (form[i] == 'd' ? at[i] >= '0' && at[i] <= '9' : at[i] == form[i]))
            i++;
        shown[used++] = form[i] ? *at : 'T';
        at += form[i] ? 0 : i - 1;
    }
    assert_string_equal(shown, wanted);
}

static void open_as(enum log_level level, enum log_formatter formatter)
{
    const struct log_options options = {.level = level, .formatter = formatter};
    struct error err = {0};

    assert_int_equal(log_open(&options, &err), 0);
}

static void the_format_is_text_before_the_log_is_opened(void **state)
{
    (void)state;
    log_close();
    capture();
    log_debug("not this");
    log_info("listening on %s", ":5000");
    log_warn("%d", 5);
    log_error("a=b");
    assert_logged("time=\"T\" level=info msg=\"listening on :5000\"\n"
                  "time=\"T\" level=warning msg=5\n"
                  "time=\"T\" level=error msg=\"a=b\"\n");
}

static const struct log_field every_kind[] = {
    {.name = "text", .kind = LOG_TEXT, .text = "a b"},
    {.name = "absent", .kind = LOG_TEXT, .text = NULL},
    {.name = "bare", .kind = LOG_TEXT, .text = "a-b./@^+_C9"},
    {.name = "empty", .kind = LOG_TEXT, .text = ""},
    {.name = "number", .kind = LOG_INTEGER, .integer = INT64_MIN},
    {.name = "time.taken", .kind = LOG_DURATION, .duration_us = 1500},
};

static void lines_are_as_logrus_writes_them(void **state)
{
    (void)state;
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
    capture();
    log_write(LOG_LEVEL_INFO, every_kind, ARRAY_SIZE(every_kind), "message");
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_JSON);
    log_write(LOG_LEVEL_WARN, every_kind, ARRAY_SIZE(every_kind), "message");
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_LOGSTASH);
    log_write(LOG_LEVEL_ERROR, every_kind, ARRAY_SIZE(every_kind), "message");
    log_close();
    assert_logged(
        "time=\"T\" level=info msg=message text=\"a b\" bare=a-b./@^+_C9 empty= "
        "number=-9223372036854775808 "
        "time.taken=1.5ms\n"
        "{\"time\":\"T\",\"level\":\"warning\",\"msg\":\"message\",\"text\":\"a "
        "b\",\"bare\":\"a-b./@^+_C9\",\"empty\":\"\","
        "\"number\":-9223372036854775808,\"time.taken\":\"1.5ms\"}\n"
        "{\"@timestamp\":\"T\",\"@version\":\"1\",\"level\":\"error\",\"message\":\"message\","
        "\"text\":\"a b\","
        "\"bare\":\"a-b./"
        "@^+_C9\",\"empty\":\"\",\"number\":-9223372036854775808,\"time.taken\":\"1.5ms\"}\n");
}

static void durations_are_written_as_go_does(void **state)
{
    static const struct {
        uint64_t us;
        const char *text;
    } durations[] = {
        {0, "0s"},
        {1, "\"1\xC2\xB5s\""},
        {999, "\"999\xC2\xB5s\""},
        {1000, "1ms"},
        {1001, "1.001ms"},
        {1010, "1.01ms"},
        {999999, "999.999ms"},
        {1000000, "1s"},
        {1500000, "1.5s"},
        {59999999, "59.999999s"},
        {60000000, "1m0s"},
        {123500000, "2m3.5s"},
        {3600000000, "1h0m0s"},
        {3661000001, "1h1m1.000001s"},
        {UINT64_MAX, "5124095576h1m49.551615s"},
    };
    char wanted[2000] = "";

    (void)state;
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
    capture();
    for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
        const struct log_field field = log_duration("d", durations[i].us);
        size_t used = strlen(wanted);

        log_write(LOG_LEVEL_INFO, &field, 1, "m");
        snprintf(wanted + used, sizeof(wanted) - used, "time=\"T\" level=info msg=m d=%s\n",
                 durations[i].text);
    }
    log_close();
    assert_logged(wanted);
}

static void levels_are_kept_apart(void **state)
{
    (void)state;
    capture();
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        open_as((enum log_level)level, LOG_FORMATTER_TEXT);
        log_error("e%d", level);
        log_warn("w%d", level);
        log_info("i%d", level);
        log_debug("d%d", level);
        assert_true(log_is_on((enum log_level)level));
        assert_true(level == LOG_LEVEL_DEBUG || !log_is_on((enum log_level)(level + 1)));
    }
    log_close();
    assert_logged("time=\"T\" level=error msg=e0\n"
                  "time=\"T\" level=error msg=e1\ntime=\"T\" level=warning msg=w1\n"
                  "time=\"T\" level=error msg=e2\ntime=\"T\" level=warning msg=w2\ntime=\"T\" "
                  "level=info msg=i2\n"
                  "time=\"T\" level=error msg=e3\ntime=\"T\" level=warning msg=w3\ntime=\"T\" "
                  "level=info msg=i3\n"
                  "time=\"T\" level=debug msg=d3\n");
}

static void requests_have_a_switch_of_their_own(void **state)
{
    struct log_options options = {.level = LOG_LEVEL_INFO};
    const struct log_field field = log_integer("status", 200);
    struct error err = {0};

    (void)state;
    capture();
    assert_int_equal(log_open(&options, &err), 0);
    log_request(&field, 1, "response completed");
    options.is_access_disabled = true;
    assert_int_equal(log_open(&options, &err), 0);
    log_request(&field, 1, "not this");
    log_info("but this");
    open_as(LOG_LEVEL_WARN, LOG_FORMATTER_TEXT);
    log_request(&field, 1, "nor this");
    log_close();
    assert_logged("time=\"T\" level=info msg=\"response completed\" status=200\n"
                  "time=\"T\" level=info msg=\"but this\"\n");
}

static off_t log_size(void)
{
    return lseek(STDERR_FILENO, 0, SEEK_END);
}

/* On a separate thread, because other threads do not flush. */
static void *write_held_lines(void *unused)
{
    const struct log_field field = log_integer("status", 200);

    log_flush();
    log_request(&field, 1, "first");
    assert_int_equal(log_size(), 0);
    log_warn("second");
    log_request(&field, 1, "third");
    log_flush();
    for (int i = 0; i < 2000; i++) /* more than the buffer holds */
        log_request(&field, 1, "more");
    assert_true(log_size() > 0);
    log_flush();
    return unused;
}

static void lines_are_held_until_they_are_flushed(void **state)
{
    CLEANUP_FREE char *text = NULL;
    const char *first, *second, *third;
    pthread_t thread;
    size_t size, lines = 0;

    (void)state;
    capture();
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
    assert_int_equal(pthread_create(&thread, NULL, write_held_lines, NULL), 0);
    pthread_join(thread, NULL);
    log_close();
    text = read_log(&size);
    first = strstr(text, "msg=first");
    second = strstr(text, "msg=second");
    third = strstr(text, "msg=third");
    assert_true(first && second && third && first < second && second < third);
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 2003);
}

static void the_user_s_fields_are_in_every_line(void **state)
{
    const struct log_field fields[] = {log_text("service", "registry"), log_text("level", "forged"),
                                       log_text("note", "a\n\"b\"")};
    struct log_options options = {
        .level = LOG_LEVEL_INFO, .fields = fields, .field_count = ARRAY_SIZE(fields)};
    const struct log_field field = log_integer("n", 1);
    struct error err = {0};

    (void)state;
    capture();
    assert_int_equal(log_open(&options, &err), 0);
    log_write(LOG_LEVEL_INFO, &field, 1, "m");
    options.formatter = LOG_FORMATTER_JSON;
    assert_int_equal(log_open(&options, &err), 0);
    log_write(LOG_LEVEL_INFO, &field, 1, "m");
    log_close();
    log_info("m");
    assert_logged("time=\"T\" level=info msg=m service=registry fields.level=forged "
                  "note=\"a\\n\\\"b\\\"\" n=1\n"
                  "{\"time\":\"T\",\"level\":\"info\",\"msg\":\"m\",\"service\":\"registry\","
                  "\"fields.level\":\"forged\","
                  "\"note\":\"a\\n\\\"b\\\"\",\"n\":1}\n"
                  "time=\"T\" level=info msg=m\n");
}

/* Input that tries to forge a line, to control a terminal, or to imitate other text. */
static const struct {
    const char *raw, *text, *json;
} escapes[] = {
    {"a\nb", "a\\nb", "a\\nb"},
    {"a\r\tb", "a\\r\\tb", "a\\r\\tb"},
    {"\a\b\f\v", "\\a\\b\\f\\v", "\\u0007\\u0008\\u000c\\u000b"},
    {"\x1b[31m", "\\x1b[31m", "\\u001b[31m"},
    {"\x01\x7f", "\\x01\\x7f", "\\u0001\\u007f"},
    {"\" level=error \\", "\\\" level=error \\\\", "\\\" level=error \\\\"},
    {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
     "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
    {"\xC2\x9B"
     "31m",
     "\\u009b31m", "\\u009b31m"},
    {"\xC2\x85 ", "\\u0085 ", "\\u0085 "},
    {"\xE2\x80\xAE"
     "txt",
     "\\u202etxt", "\\u202etxt"},
    {"\xE2\x80\xA8 \xE2\x80\xA9", "\\u2028 \\u2029", "\\u2028 \\u2029"},
    {"\xE2\x80\x8B\xEF\xBB\xBF ", "\\u200b\\ufeff ", "\\u200b\\ufeff "},
    {"\xF3\xA0\x81\x81 ", "\\U000e0041 ", "\\udb40\\udc41 "},
    {"\xFF\xFE ", "\\xff\\xfe ", "\\ufffd\\ufffd "},
    {"\xC0\xAF ", "\\xc0\\xaf ", "\\ufffd\\ufffd "},
    {"\xED\xA0\x80 ", "\\xed\\xa0\\x80 ", "\\ufffd\\ufffd\\ufffd "},
    {"\xE2\x82", "\\xe2\\x82", "\\ufffd\\ufffd"},
    {"\xEF\xBF\xBD ", "\xEF\xBF\xBD ", "\xEF\xBF\xBD "},
};

static void no_logged_value_can_forge_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
        const struct log_field field = log_text("v", escapes[i].raw);
        char wanted[1000];

        capture();
        open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
        log_write(LOG_LEVEL_INFO, &field, 1, "%s", escapes[i].raw);
        open_as(LOG_LEVEL_INFO, LOG_FORMATTER_JSON);
        log_write(LOG_LEVEL_INFO, &field, 1, "%s", escapes[i].raw);
        open_as(LOG_LEVEL_INFO, LOG_FORMATTER_LOGSTASH);
        log_write(LOG_LEVEL_INFO, &field, 1, "%s", escapes[i].raw);
        log_close();
        snprintf(wanted, sizeof(wanted),
                 "time=\"T\" level=info msg=\"%s\" v=\"%s\"\n"
                 "{\"time\":\"T\",\"level\":\"info\",\"msg\":\"%s\",\"v\":\"%s\"}\n"
                 "{\"@timestamp\":\"T\",\"@version\":\"1\",\"level\":\"info\",\"message\":\"%s\","
                 "\"v\":\"%s\"}\n",
                 escapes[i].text, escapes[i].text, escapes[i].json, escapes[i].json,
                 escapes[i].json, escapes[i].json);
        assert_logged(wanted);
    }
}

/* One line of limited length, with a newline only at its end; JSON in the JSON formats. */
static void check_line(enum log_formatter formatter, const char *text, size_t size)
{
    assert_true(size > 0 && size <= LOG_LINE_MAX);
    assert_ptr_equal(memchr(text, '\n', size), text + size - 1);
    assert_non_null(memmem(text, size, "...", 3));
    assert_non_null(memmem(text, size, "truncated", 9));
    if (formatter != LOG_FORMATTER_TEXT)
        assert_memory_equal(text + size - 3, "\"}\n", 3);
}

/* All lengths, so that each kind of byte is once at the limit. */
static void a_line_is_cut_with_a_mark(void **state)
{
    static const char *const units[] = {
        "x", "\x01", "\"", "\xC3\xA9", "\xE2\x80\xAE", "\xF3\xA0\x81\x81", "\xFF"};
    static char value[3 * LOG_LINE_MAX];

    (void)state;
    for (int formatter = LOG_FORMATTER_TEXT; formatter <= LOG_FORMATTER_LOGSTASH; formatter++) {
        open_as(LOG_LEVEL_INFO, (enum log_formatter)formatter);
        for (size_t i = 0; i < ARRAY_SIZE(units) * 16; i++) {
            const struct log_field fields[] = {
                log_text("n", &"................"[i / ARRAY_SIZE(units)]), log_text("v", value),
                log_integer("left.out", 1)};
            CLEANUP_FREE char *line = NULL;
            const char *unit = units[i % ARRAY_SIZE(units)];
            size_t size;

            value[0] = '\0';
            for (size_t used = 0; used + strlen(unit) < sizeof(value) - 1; used += strlen(unit))
                memcpy(value + used, unit, strlen(unit) + 1);
            capture();
            log_write(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields), "m");
            line = read_log(&size);
            check_line((enum log_formatter)formatter, line, size);
        }
    }
    log_close();
}

static void a_long_message_leaves_room_for_fields(void **state)
{
    static char message[3 * LOG_LINE_MAX];
    const struct log_field field = log_integer("status", 200);
    CLEANUP_FREE char *line = NULL;
    size_t size;

    (void)state;
    fill(message, '\x02', sizeof(message) - 1);
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_JSON);
    capture();
    log_write(LOG_LEVEL_INFO, &field, 1, "%s", message);
    log_close();
    line = read_log(&size);
    assert_true(size < LOG_LINE_MAX);
    assert_string_equal(line + size - strlen("...\",\"status\":200}\n"), "...\",\"status\":200}\n");
}

static void many_fields_are_left_out_at_the_end(void **state)
{
    struct log_field fields[1000];
    CLEANUP_FREE char *line = NULL;
    size_t size;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        fields[i] = log_integer("name.of.a.field", INT64_MIN);
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
    capture();
    log_write(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields), "m");
    log_close();
    line = read_log(&size);
    assert_true(size <= LOG_LINE_MAX && size > LOG_LINE_MAX - 200);
    assert_string_equal(line + size - strlen(" truncated=...\n"), " truncated=...\n");
}

static void errno_is_preserved(void **state)
{
    const struct log_field field = log_text("v", "\xFF");

    (void)state;
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
    capture();
    close(STDERR_FILENO);
    errno = ENOSPC;
    log_write(LOG_LEVEL_INFO, &field, 1, "m");
    log_request(&field, 1, "m");
    assert_int_equal(errno, ENOSPC);
    log_close();
    assert_logged("");
}

enum { THREADS = 8, LINES = 500 };

static void *write_lines(void *name)
{
    const struct log_field field = log_text("thread", name);

    for (int i = 0; i < LINES; i++)
        log_write(LOG_LEVEL_INFO, &field, 1, "the same words");
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static char names[THREADS][2];
    pthread_t threads[THREADS];
    CLEANUP_FREE char *text = NULL;
    size_t size, count = 0;
    char *rest;

    (void)state;
    open_as(LOG_LEVEL_INFO, LOG_FORMATTER_TEXT);
    capture();
    for (int i = 0; i < THREADS; i++) {
        names[i][0] = (char)('a' + i);
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_close();
    text = read_log(&size);
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), count++) {
        assert_memory_equal(line, "time=\"", 6);
        assert_memory_equal(line + 33, "\" level=info msg=\"the same words\" thread=", 41);
        assert_int_equal(strlen(line), 33 + 41 + 1);
    }
    assert_int_equal(count, THREADS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_format_is_text_before_the_log_is_opened),
        scratch_test(lines_are_as_logrus_writes_them),
        scratch_test(durations_are_written_as_go_does),
        scratch_test(levels_are_kept_apart),
        scratch_test(requests_have_a_switch_of_their_own),
        scratch_test(lines_are_held_until_they_are_flushed),
        scratch_test(the_user_s_fields_are_in_every_line),
        scratch_test(no_logged_value_can_forge_a_line),
        scratch_test(a_line_is_cut_with_a_mark),
        scratch_test(a_long_message_leaves_room_for_fields),
        scratch_test(many_fields_are_left_out_at_the_end),
        scratch_test(errno_is_preserved),
        scratch_test(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
