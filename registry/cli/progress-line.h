#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "registry/core/progress.h"

enum { PROGRESS_COLUMNS_MAX = 200 };

/*
 * Shows the progress of long work on standard error: on a terminal as one line that is updated,
 * otherwise as one line every half minute. Short work shows nothing. A server, which has a log
 * instead, sets only columns and print.
 */
struct progress_line {
    void (*print)(const char *text); /* gets each line; NULL: it goes to standard error */
    bool is_quiet, has_terminal;
    bool is_drawn; /* the terminal shows a line that must be cleared before other output */
    unsigned columns;
    const char *step;          /* of the last call */
    int64_t began_ms, next_ms; /* when the step began; when the next line is due */
};

/*
 * Call it before the process is confined: afterwards it cannot find out whether this is a terminal.
 */
void progress_line_start(struct progress_line *line, bool is_quiet);

/* A progress_function; object is the struct progress_line. */
void progress_line_show(void *object, const struct progress *progress);

/* Clears the line. Call it before anything else is printed, and at the end. */
void progress_line_clear(struct progress_line *line);
