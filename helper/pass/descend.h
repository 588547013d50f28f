#pragma once

#include <stdbool.h>

#include "common/macros.h"

/*
 * The way from docker-credential-helpers down to an entry, for whoever writes: folder by folder, and never through a
 * link, so that nothing is written or removed elsewhere, not even while somebody swaps the directories.
 */

/*
 * Opens the folder that the last part of path ("<server>/a/b.gpg") lies in; with is_made, missing ones are made, each
 * synced into its parent. The fd is the result, with *ret_leaf that last part (borrowed from path); or -errno: -ENOENT
 * where a directory is missing, -ELOOP where one of them is a link, -ENOTDIR where it is something else.
 */
int pass_descend(int folder_fd, const char *path, bool is_made, const char **ret_leaf) MUST_USE;

/* Removes those directories that are empty, the innermost first. */
void pass_ascend_removing(int folder_fd, const char *path);
