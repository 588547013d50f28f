#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * The log: one line for each event on standard error, in one write(2), in the formats of registry:2
 * (logrus' text and JSON, logstash's JSON). Text from a client may be passed in a field or as an
 * argument of the message: control characters, characters that hide or reorder text, and invalid
 * UTF-8 are escaped in every format. A line has at most LOG_LINE_MAX bytes; "..." marks where it
 * was cut. Credentials are never passed.
 *
 * Before log_open() the format is text, and the level info. Call log_open() and log_close() while
 * no other thread logs; any thread may call everything else.
 */

/* Each level includes those before it. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_formatter { LOG_FORMATTER_TEXT, LOG_FORMATTER_JSON, LOG_FORMATTER_LOGSTASH };

enum { LOG_LINE_MAX = 8192 }; /* the newline included */

enum log_kind { LOG_TEXT, LOG_INTEGER, LOG_DURATION };

/* A named value in a line, for programs that read the log. */
struct log_field {
    const char *name; /* of letters, digits and . _ - */
    enum log_kind kind;
    union {
        const char *text; /* NULL: the field is omitted */
        int64_t integer;
        uint64_t duration_us;
    };
};

static inline struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){.name = name, .kind = LOG_TEXT, .text = text};
}

static inline struct log_field log_integer(const char *name, int64_t integer)
{
    return (struct log_field){.name = name, .kind = LOG_INTEGER, .integer = integer};
}

/* In microseconds; written as Go does: 1.5ms, 2m3.5s. */
static inline struct log_field log_duration(const char *name, uint64_t duration_us)
{
    return (struct log_field){.name = name, .kind = LOG_DURATION, .duration_us = duration_us};
}

struct log_options {
    enum log_level level;
    enum log_formatter formatter;
    bool is_access_disabled;        /* no line for each request */
    const struct log_field *fields; /* in every line; copied */
    size_t field_count;
};

/* 0 or negative (out of memory). */
int log_open(const struct log_options *options, struct error *err) MUST_USE;

/* Restores the state before log_open(). */
void log_close(void);

/*
 * Whether lines of this level are written, so that callers can avoid gathering fields for nothing.
 */
bool log_is_on(enum log_level level);

/*
 * Writes one line, if its level is on. fields may be NULL if count is 0. A line that cannot be
 * written is lost.
 */
void log_write(enum log_level level, const struct log_field *fields, size_t count,
               const char *format, ...) PRINTF_LIKE(4, 5);

/* Writes the line of a finished request at level info, unless log.accesslog.disabled is set. */
void log_request(const struct log_field *fields, size_t count, const char *message);

/*
 * Writes the lines of log_request() that this thread holds. After its first call of log_flush(), a
 * thread holds such lines until the next call, so that an event thread that answers ten requests at
 * a time needs one write(2). Other lines are not held.
 */
void log_flush(void);

/* Shorthands for lines without fields. */
#define log_error(...) log_write(LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, NULL, 0, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
