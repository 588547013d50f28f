#pragma once

#include "helper/pass/change.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/* All of these want the store locked, and append to changes what they removed. */

/* Removes the entries of a server but for path->file. 0 or negative. */
int pass_remove_others(struct pass_store *store, const struct pass_path *path,
                       struct pass_changes *changes, struct error *err) MUST_USE;

/*
 * Removes a server's directory with everything in it, as `pass rm -rf` does; of a link only the
 * link itself. Also removes docker-credential-helpers if it is empty then, and never the root. 0,
 * also if the directory does not exist; or negative.
 */
int pass_remove_server(struct pass_store *store, const struct pass_path *path,
                       struct pass_changes *changes, struct error *err) MUST_USE;
