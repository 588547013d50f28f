#pragma once

#include <stdbool.h>

#include "common/macros.h"

/*
 * The programs that this process has started, with all that they have started in turn: gpg and git run others, and
 * GPGME starts gpg as an orphan, whose number nobody is told. Linux gives orphans to their nearest ancestor that wants them.
 *
 * Only programs in our own session count: a gpg-agent that gpg has started makes one of its own, and is to live on.
 * Children that were there before children_adopt() are somebody else's. Programs are found in /proc/self/task.
 */

/* From now on orphaned descendants become our children. To be called before the first is started; again does nothing. */
void children_adopt(void);

/* Sends a signal to each child. May be called in a signal handler. Whether there was one. */
bool children_signal(int number);

/*
 * Waits until there is no child left, for at most `milliseconds`; then ends those that are left, by SIGTERM and a second
 * later by SIGKILL, those that they leave behind too. The number of the signal that one of them died of by itself (SIGPIPE
 * apart: it means that nobody read on), else 0.
 */
int children_finish(int milliseconds);
