#pragma once

#include <sys/types.h>

#include "helper/pass/store.h"

/*
 * Small repairs below a store's root. A store may come from somebody else, so no repair leaves it:
 * every path is relative to the root, and none of its components may be a symbolic link. A file
 * with a second hard link is left alone, because that name may be outside the store. Each call
 * returns 0 or -errno: -ELOOP for a link in the way, -EMLINK for a hard link, -EPERM for something
 * that is not the user's own, -EINVAL for something that is neither a file nor a directory.
 */

/* Whether the file or directory may be repaired at all. Changes nothing. */
int pass_repair_check(const struct pass_store *store, const char *path) MUST_USE;

/* Sets the mode of a regular file or a directory; path "" is the root itself. */
int pass_repair_mode(const struct pass_store *store, const char *path, mode_t mode) MUST_USE;

/* Ends the last line of a regular file with a newline. */
int pass_repair_last_line(const struct pass_store *store, const char *path) MUST_USE;

enum pass_leftover { PASS_LEFTOVER_FILE, PASS_LEFTOVER_DIRECTORY };

/* Removes a file, or a directory that is empty. */
int pass_repair_leftover(const struct pass_store *store, const char *path,
                         enum pass_leftover kind) MUST_USE;
