/*
 * Holds the log's settings, and writes its lines to standard error.
 */
#include "registry/runtime/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/runtime/log-line.h"

/* Set before other threads start. */
static struct {
    enum log_level level;
    enum log_formatter formatter;
    bool is_access_disabled;
    char *fields; /* of every line, formatted once; owned */
    size_t fields_size;
} state = {.level = LOG_LEVEL_INFO};

/* Whether the log itself uses this name; like logrus, we then rename the caller's field. */
static bool is_taken(const char *name)
{
    static const char *const names[] = {"time", "level", "msg", "message", "truncated", NULL};

    for (size_t i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void add_fixed(struct log_line *line, const struct log_field *field)
{
    struct log_field renamed = *field;
    char name[128];

    snprintf(name, sizeof(name), "fields.%s", field->name);
    if (is_taken(field->name))
        renamed.name = name;
    log_line_add(line, &renamed);
}

int log_open(const struct log_options *options, struct error *err)
{
    struct log_line line;
    char *fields;

    log_line_begin_made(&line, options->formatter);
    for (size_t i = 0; i < options->field_count; i++)
        add_fixed(&line, &options->fields[i]);
    fields = malloc(line.used + 1);
    if (!fields)
        return error_set_oom(err);
    memcpy(fields, line.text, line.used);
    log_close();
    state.level = options->level;
    state.formatter = options->formatter;
    state.is_access_disabled = options->is_access_disabled;
    state.fields = fields;
    state.fields_size = line.used;
    return 0;
}

void log_close(void)
{
    free(state.fields);
    state.fields = NULL;
    state.fields_size = 0;
    state.level = LOG_LEVEL_INFO;
    state.formatter = LOG_FORMATTER_TEXT;
    state.is_access_disabled = false;
}

/* --- writing ------------------------------------------------------------------------------- */

/* Lines of requests that a thread has not written yet. */
struct held {
    size_t used;
    char text[4 * LOG_LINE_MAX];
};

/*
 * NULL until the thread's first log_flush(). Allocated on the heap, because static thread-local
 * memory would be resident for every thread.
 */
static _Thread_local struct held *held;
static pthread_key_t held_key; /* frees it at the end of the thread */
static pthread_once_t held_once = PTHREAD_ONCE_INIT;

static void make_held_key(void)
{
    pthread_key_create(&held_key, free);
}

bool log_is_on(enum log_level level)
{
    return level <= state.level;
}

/* Uses one write(2), so that lines of different threads do not mix; a full pipe may split it. */
static void write_text(const char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t r = write(STDERR_FILENO, text + done, size - done);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return;
        done += (size_t)r;
    }
}

static void write_held(void)
{
    if (!held || held->used == 0)
        return;
    write_text(held->text, held->used);
    held->used = 0;
}

static void hold(const struct log_line *line)
{
    if (sizeof(held->text) - held->used < line->used)
        write_held();
    memcpy(held->text + held->used, line->text, line->used);
    held->used += line->used;
}

/* If memory is exhausted, lines are written at once. */
static void start_holding(void)
{
    pthread_once(&held_once, make_held_key);
    held = malloc(sizeof(*held));
    if (!held)
        return;
    held->used = 0;
    if (pthread_setspecific(held_key, held) != 0) {
        free(held);
        held = NULL;
    }
}

void log_flush(void)
{
    int errno_before = errno;

    if (held)
        write_held();
    else
        start_holding();
    errno = errno_before;
}

static void format_line(enum log_level level, const struct log_field *fields, size_t count,
                        const char *message, struct log_line *ret)
{
    log_line_begin(ret, state.formatter, level, message);
    log_line_add_made(ret, state.fields ? state.fields : "", state.fields_size);
    for (size_t i = 0; i < count; i++)
        log_line_add(ret, &fields[i]);
    log_line_end(ret);
}

void log_write(enum log_level level, const struct log_field *fields, size_t count,
               const char *format, ...)
{
    char message[LOG_LINE_MAX / 2];
    struct log_line line;
    int errno_before = errno;
    va_list args;

    if (!log_is_on(level))
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    format_line(level, fields, count, message, &line);
    write_held(); /* earlier lines come first */
    write_text(line.text, line.used);
    errno = errno_before;
}

void log_request(const struct log_field *fields, size_t count, const char *message)
{
    struct log_line line;
    int errno_before = errno;

    if (state.is_access_disabled || !log_is_on(LOG_LEVEL_INFO))
        return;
    format_line(LOG_LEVEL_INFO, fields, count, message, &line);
    if (held)
        hold(&line);
    else
        write_text(line.text, line.used);
    errno = errno_before;
}
