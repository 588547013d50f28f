#pragma once

#include "common/macros.h"

/*
 * A failure with an outside cause: what happened, to which file or key, and what to do about it,
 * in one sentence on one line. Functions that take `struct error *err` return 0 on success,
 * negative on failure (err is filled), positive for an outcome that their header names.
 */
struct error {
    int code;        /* errno-like, positive */
    char text[2048]; /* one line that a terminal can be given (common/printable.h) */
};

/* Fills err where the cause is known; err may be NULL. Returns -code. */
int error_set(struct error *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Like error_set(), with ": " and the system's text for code at the end. */
int error_set_errno(struct error *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "<text>: " before what err says; at most once on the way up. Returns -err->code. */
int error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Out of memory, the one failure that needs no words of its own. */
int error_set_oom(struct error *err);
