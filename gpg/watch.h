#pragma once

#include "common/error.h"
#include "gpg/context.h"

/*
 * GPGME waits for gpg without end. The watch limits each operation: it ends gpg when gpg takes
 * longer than gpg_patience(), or when its output uses too much memory. If a signal killed gpg, the
 * operation has failed, whatever GPGME reports.
 *
 * The time during which a pinentry is open (see gpg's status lines) does not count: a person is
 * typing.
 *
 *     gpg_watch_begin(gpg);
 *     e = gpgme_op_…();
 *     r = gpg_watch_end(gpg, e != 0, err);
 *
 * Only one watch at a time in a process, because it uses SIGALRM and the interval timer.
 */
void gpg_watch_begin(struct gpg_context *gpg);

/*
 * Sets the function to call if GPGME does not return after gpg was ended, because a process that is
 * not our child holds one of gpg's pipes open. It runs in a signal handler with the line to print,
 * and may only print it and end the process. NULL: none.
 */
void gpg_watch_set_last_resort(void (*function)(const char *line));

/*
 * 0 if GPGME's result is reliable, or negative with err saying what happened to gpg (-ETIMEDOUT,
 * -ENOBUFS, -EIO). If has_failed or is_careful, waits a moment until gpg has exited, and then kills
 * what is left of it.
 */
int gpg_watch_end(struct gpg_context *gpg, bool has_failed, bool is_careful,
                  struct error *err) MUST_USE;

/*
 * Whether gpg has written a status line since gpg_watch_begin(). If it has not, GPGME's result is a
 * guess.
 */
bool gpg_watch_has_spoken(const struct gpg_context *gpg);

/*
 * Whether gpg has reported since gpg_watch_begin() that it encrypted all of its input. GPGME takes
 * silence for success.
 */
bool gpg_watch_has_encrypted(const struct gpg_context *gpg);
