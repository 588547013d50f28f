#pragma once

#include "common/error.h"
#include "gpg/context.h"

/*
 * GPGME waits for gpg for ever. A watch over each operation sees to it that gpg, or the agent behind it, cannot hang, flood
 * us or die unnoticed: gpg is ended when it has taken longer than gpg_patience() or had us take too much memory, and
 * one that died by a signal has not succeeded, whatever GPGME makes of it.
 *
 * The time in which a pinentry is up, as gpg's status lines tell, does not count: it is a person's.
 *
 *     gpg_watch_begin(gpg);
 *     e = gpgme_op_…();
 *     r = gpg_watch_end(gpg, e != 0, err);
 *
 * One at a time in a process; it uses SIGALRM and the interval timer.
 */
void gpg_watch_begin(struct gpg_context *gpg);

/*
 * What is to be done where GPGME does not come back though gpg was ended, because somebody that is no child of ours holds a
 * pipe of its open: called in a signal handler, with the line to say; it may only write it and end the process. NULL: nothing.
 */
void gpg_watch_set_last_resort(void (*function)(const char *line));

/*
 * 0 where what GPGME says may be believed, or negative with err saying what became of gpg (-ETIMEDOUT, -ENOBUFS, -EIO).
 * Where has_failed, or is_careful, gpg's end is waited for, for a moment; what is left of it then is ended.
 */
int gpg_watch_end(struct gpg_context *gpg, bool has_failed, bool is_careful, struct error *err) MUST_USE;

/* Whether gpg has written a status line since gpg_watch_begin(): what GPGME makes of its silence is a guess. */
bool gpg_watch_has_spoken(const struct gpg_context *gpg);

/* Whether gpg has said since gpg_watch_begin() that it encrypted all of its input: GPGME takes silence for success. */
bool gpg_watch_has_encrypted(const struct gpg_context *gpg);
