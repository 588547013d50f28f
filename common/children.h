#pragma once

#include <stdbool.h>

#include "common/macros.h"

/*
 * The programs that this process has started, and their descendants: gpg and git run other
 * programs, and GPGME starts gpg as an orphan without telling its process id. Linux gives orphans
 * to their nearest ancestor that is a child subreaper.
 *
 * Only processes in our own session count: a gpg-agent that gpg starts creates its own session, and
 * must go on running. Children that existed before children_adopt() are left alone. Processes are
 * found in /proc/self/task.
 */

/*
 * Makes orphaned descendants our children. Call it before the first program is started; a second
 * call does nothing.
 */
void children_adopt(void);

/* Sends a signal to each child. Returns whether there was one. Safe in a signal handler. */
bool children_signal(int number);

/*
 * Waits at most `milliseconds` until no child is left, then ends the rest with SIGTERM and, a
 * second later, with SIGKILL, including orphans that they leave. Returns the signal that killed one
 * of them before that (except SIGPIPE, which means that nobody reads the output any more), else 0.
 */
int children_finish(int milliseconds);
