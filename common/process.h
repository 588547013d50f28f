#pragma once

#include <stddef.h>

#include "common/macros.h"

/*
 * Runs argv[0] (looked up on PATH) to its end with stdin from /dev/null, signals and their mask at
 * their defaults, and this process's environment and working directory. The first size - 1 bytes of
 * its stdout and stderr go to ret_output, followed by a NUL; the rest is discarded. It never writes
 * to our stdout, which carries the protocol.
 *
 * A program that does not exit within `seconds` is killed with its descendants (common/children.h).
 * When it has exited, this returns even if a process that it left in the background still holds its
 * output open.
 *
 * 0 with *ret_status the exit status (128 + N for signal N), -ETIMEDOUT, or -errno (-ENOENT: no
 * such program).
 */
int process_run(const char *const argv[], int seconds, char *ret_output, size_t size,
                int *ret_status) MUST_USE;

/*
 * The first program of that name on PATH. *ret_path is owned by the caller. 0, -ENOENT or -ENOMEM.
 */
int process_find(const char *name, char **ret_path) MUST_USE;
