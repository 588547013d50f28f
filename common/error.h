#pragma once

#include "common/macros.h"

/*
 * A failure with an external cause: one sentence on one line that says what failed, on which file
 * or key, and what to do. Functions that take `struct error *err` return 0 on success, negative on
 * failure (err is filled), positive for an outcome that their header names.
 */
struct error {
    int code;        /* errno-like, positive */
    char text[2048]; /* one line that is safe on a terminal (common/printable.h) */
};

/* Fills err where the cause is known; err may be NULL. Returns -code. */
int error_set(struct error *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Like error_set(), and appends ": " and the system's text for code. */
int error_set_errno(struct error *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Prepends "<text>: " to err. Each caller does this at most once. Returns -err->code. */
int error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Fills err for exhausted memory. Returns -ENOMEM. */
int error_set_oom(struct error *err);
