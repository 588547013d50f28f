#pragma once

#include "registry/runtime/log.h"

/*
 * Builds one line of the log. Pure, except that it reads the clock; each thread uses its own line.
 */
struct log_line {
    enum log_formatter formatter;
    size_t used;
    size_t limit; /* text never extends beyond this, so that the line can be closed */
    bool is_cut;  /* a value did not fit, and nothing more is added */
    char text[LOG_LINE_MAX];
};

/* Starts a line with time, level and message. */
void log_line_begin(struct log_line *line, enum log_formatter formatter, enum log_level level,
                    const char *message);

/* Adds fields that were formatted before (log_line_begin_made()), in the same format. */
void log_line_add_made(struct log_line *line, const char *made, size_t size);

void log_line_add(struct log_line *line, const struct log_field *field);

/* Closes the line with a newline; line->used is then its length. */
void log_line_end(struct log_line *line);

/* Starts a line of fields only, to be passed to log_line_add_made(). */
void log_line_begin_made(struct log_line *line, enum log_formatter formatter);
