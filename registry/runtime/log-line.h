#pragma once

#include "registry/runtime/log.h"

/*
 * One line of the log while it is made. Pure but for the clock; each thread has its own.
 */
struct log_line {
    enum log_formatter formatter;
    size_t used;
    size_t limit;  /* where text ends now; behind it there is room for what closes the line */
    bool is_cut;   /* a value did not fit; nothing is added after it */
    char text[LOG_LINE_MAX];
};

/* Time, level and message. */
void log_line_begin(struct log_line *line, enum log_formatter formatter, enum log_level level, const char *message);

/* Fields that log_line_add() made before, in the same format. */
void log_line_add_made(struct log_line *line, const char *made, size_t size);

void log_line_add(struct log_line *line, const struct log_field *field);

/* Closes it with its newline; it then has used bytes. */
void log_line_end(struct log_line *line);

/* Only the fields, to be passed to log_line_add_made(). */
void log_line_begin_made(struct log_line *line, enum log_formatter formatter);
