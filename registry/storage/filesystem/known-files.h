#pragma once

#include <stdbool.h>

#include "registry/storage/filesystem/look.h"

/*
 * Remembers which file was found at a key when the path was resolved without following links. A
 * later stat() by the plain path, which costs a third of that, is enough if it finds the same file.
 * A link that an attacker planted would lead to a different file, or to the file that belongs
 * there. Callable from any thread.
 */
struct known_files;

struct known_files *known_files_new(void);        /* NULL: out of memory */
void known_files_free(struct known_files *known); /* takes NULL */

bool known_files_has(struct known_files *known, const char *key, const struct look *look);
void known_files_add(struct known_files *known, const char *key, const struct look *look);
