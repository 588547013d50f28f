#pragma once

#include <stdbool.h>

#include "registry/storage/filesystem/look.h"

/*
 * Which file a walk below the root, one that follows no links, found at a key. A later look by the
 * plain path, which costs a third, is good enough if it finds the same file: a link that somebody
 * planted leads to another file, or to one that the walk would have found. From any thread.
 */
struct known_files;

struct known_files *known_files_new(void);        /* NULL: out of memory */
void known_files_free(struct known_files *known); /* takes NULL */

bool known_files_has(struct known_files *known, const char *key, const struct look *look);
void known_files_add(struct known_files *known, const char *key, const struct look *look);
