#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/* The longest password, as in Apache's htpasswd; bcrypt uses only 72 bytes. */
enum { ASK_PASSWORD_MAX = 255 };

/*
 * ASK_DIFFERENT: the two passwords differ. ASK_INTERRUPTED: a signal arrived that did not end the
 * process.
 */
enum { ASK_DIFFERENT = 1, ASK_INTERRUPTED = 2 };

/*
 * Asks twice on the controlling terminal without echo. The terminal is restored when this returns
 * or a signal ends the program. Appends to ret_password. Returns 0, an outcome, or negative. Only
 * for a program with one thread, because it temporarily sets signal handlers.
 */
int ask_password_twice(struct secbuf *ret_password, struct error *err) MUST_USE;

/* Asks once, for an existing password. Never returns ASK_DIFFERENT. */
int ask_password_once(struct secbuf *ret_password, struct error *err) MUST_USE;

/*
 * Reads a password from fd up to the end of the input. Drops a final newline (or carriage return
 * and newline). Appends to ret_password. Returns 0, or negative; a password that is too long, or
 * contains a NUL or a second line, is an error.
 */
int ask_password_from(int fd, struct secbuf *ret_password, struct error *err) MUST_USE;
