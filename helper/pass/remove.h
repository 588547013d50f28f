#pragma once

#include "helper/pass/change.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/* The store must be locked. Each function appends what it removed to changes. */

/* Removes all entries of a server except path->file. 0 or negative. */
int pass_remove_others(struct pass_store *store, const struct pass_path *path,
                       struct pass_changes *changes, struct error *err) MUST_USE;

/*
 * Removes a server's directory with everything in it, as `pass rm -rf` does; if it is a link, only
 * the link. Also removes docker-credential-helpers if it is then empty, but never the root. 0, also
 * if the directory does not exist; or negative.
 */
int pass_remove_server(struct pass_store *store, const struct pass_path *path,
                       struct pass_changes *changes, struct error *err) MUST_USE;
