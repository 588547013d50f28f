#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "common/error.h"

/*
 * The output of `setup` and `doctor` for a person: one paragraph an item, with a mark before it,
 * wrapped at 80 columns. Marks are coloured only on a terminal, and never if NO_COLOR is set
 * (no-color.org).
 */
enum terminal_mark {
    TERMINAL_OK,      /* "ok": as it should be */
    TERMINAL_DONE,    /* "done": just changed */
    TERMINAL_WOULD,   /* "would": with --dry-run, or before asking */
    TERMINAL_WARNING, /* "warn": works, but should be improved */
    TERMINAL_BAD,     /* "bad": does not work */
};

/*
 * Characters that a terminal should not receive (common/printable.h) are shown as '?', because the
 * text may contain names that others chose.
 */
void terminal_say(FILE *stream, enum terminal_mark mark, const char *format, ...) PRINTF_LIKE(3, 4);

/* A paragraph below the last item, indented like it. */
void terminal_explain(FILE *stream, const char *format, ...) PRINTF_LIKE(2, 3);

/* A command below it, to be typed as printed: indented more, never wrapped. */
void terminal_show_command(FILE *stream, const char *format, ...) PRINTF_LIKE(2, 3);

/* One line as it stands, from column 0 and never wrapped. */
void terminal_print_line(FILE *stream, const char *format, ...) PRINTF_LIKE(2, 3);

/* Whether there is a person to ask: stdin and stderr are terminals. */
bool terminal_can_ask(void);

enum terminal_answer { TERMINAL_NO, TERMINAL_YES };

/*
 * Asks "question [Y/n] " on stderr until the answer is y, n or empty. An enum terminal_answer;
 * negative at the end of the input.
 */
int terminal_ask_yes(const char *question, bool is_yes_standard, struct error *err) MUST_USE;

/*
 * Asks "question [standard]: " on stderr (standard may be NULL); an empty answer means the
 * standard; without a standard the question is asked again. *ret is owned by the caller, free with
 * free(). 0 or negative. Not for secrets.
 */
int terminal_ask_line(const char *question, const char *standard, char **ret,
                      struct error *err) MUST_USE;
