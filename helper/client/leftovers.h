#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/*
 * Temporary files that an interrupted login has left beside a client's file: docker's
 * ("config.json123456") and our own. They hold everything that the file was to hold, passwords
 * included, and no program ever reads or removes them.
 */
struct client_leftovers {
    char **paths;
    size_t count;
};

/*
 * Finds the leftovers beside the file at path. Files younger than a minute are left out, because a
 * login may be writing them. A directory that cannot be read has none. *ret is owned by the caller
 * (client_leftovers_done). 0 or -ENOMEM.
 */
int client_leftovers_find(const char *path, struct client_leftovers *ret,
                          struct error *err) MUST_USE;
void client_leftovers_done(struct client_leftovers *leftovers);

/* Whether a file of that name can be a temporary file for `file` ("config.json"). Pure. */
bool client_is_leftover_name(const char *name, const char *file);
