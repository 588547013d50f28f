#pragma once

#include <stdbool.h>

#include "common/macros.h"

/*
 * Descends from docker-credential-helpers to an entry, for writing: one directory at a time and
 * never through a link, so that nothing is written or removed elsewhere, even while somebody swaps
 * the directories.
 */

/*
 * Opens the directory of the last part of path ("<server>/a/b.gpg"); with is_made, creates missing
 * directories and syncs each into its parent. Returns the fd, with *ret_leaf set to the last part
 * (borrowed from path); or -errno: -ENOENT if a directory is missing, -ELOOP if one is a link,
 * -ENOTDIR if one is something else.
 */
int pass_descend(int directory_fd, const char *path, bool is_made, const char **ret_leaf) MUST_USE;

/* Removes those directories that are empty, the innermost first. */
void pass_ascend_removing(int directory_fd, const char *path);
