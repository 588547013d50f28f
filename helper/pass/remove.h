#pragma once

#include "helper/pass/change.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/* All of these want the store locked, and append to changes what they removed. */

/* Removes the entries of a server but for path->file. 0 or negative. */
int pass_remove_others(struct pass_store *store, const struct pass_path *path, struct pass_changes *changes,
                       struct error *err) MUST_USE;

/*
 * Removes a server's directory with all that is in it (as `pass rm -rf` does; a link goes alone), and
 * docker-credential-helpers where nothing is left in that; never the root.
 * 0, also if there is none; or negative.
 */
int pass_remove_server(struct pass_store *store, const struct pass_path *path, struct pass_changes *changes,
                       struct error *err) MUST_USE;
