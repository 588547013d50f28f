#pragma once

#include "common/error.h"
#include "common/secbuf.h"

/* The most that is taken, as in Apache's htpasswd; bcrypt looks at 72 of them anyway. */
enum { ASK_PASSWORD_MAX = 255 };

/* ASK_DIFFERENT: the two were not the same; ASK_INTERRUPTED: by a signal that the process survived. */
enum { ASK_DIFFERENT = 1, ASK_INTERRUPTED = 2 };

/*
 * Asks twice on the controlling terminal, which shows nothing of it; the terminal is as before when
 * this returns or a signal ends the program. Appends to ret_password. 0, an outcome, or negative.
 * On the main thread of a program without others, for it sets signal handlers meanwhile.
 */
int ask_password_twice(struct secbuf *ret_password, struct error *err) MUST_USE;

/* The same, once, for a password that there is already; never ASK_DIFFERENT. */
int ask_password_once(struct secbuf *ret_password, struct error *err) MUST_USE;

/*
 * Reads fd to its end: a password, and a newline (or carriage return and newline) that does not
 * count. Appends to ret_password. 0 or negative: also for one that is too long, has two lines or a NUL.
 */
int ask_password_from(int fd, struct secbuf *ret_password, struct error *err) MUST_USE;
