#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "registry/core/progress.h"

/*
 * Shows on standard error how far a long work is: on a terminal as one line that is written again
 * and again, otherwise as a line every half minute. Short work shows nothing.
 */
struct progress_line {
    bool is_quiet, has_terminal;
    bool is_drawn; /* there is a line on the terminal that the next output must clear */
    unsigned columns;
    const char *step;          /* of the last call */
    int64_t began_ms, next_ms; /* of the step; when the next line is due */
};

/* Call it before the process is confined: afterwards the terminal cannot be asked. */
void progress_line_start(struct progress_line *line, bool is_quiet);

/* A progress_function; object is the struct progress_line. */
void progress_line_show(void *object, const struct progress *progress);

/* Clears the line. Call it before anything else is printed, and at the end. */
void progress_line_clear(struct progress_line *line);
