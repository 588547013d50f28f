#pragma once

#include "registry/cli/open-store.h"

/*
 * Opens the store for verbs that work on the data without serving it, such as garbage-collect and
 * verify, and confines them, because other users may have written the data: root becomes the
 * storage's owner, and the process is confined like `serve`. Nothing is confined if
 * confinement.enabled is false. settings are borrowed. All return 0 or negative.
 */

/* Only becomes the user who works on the data. */
int offline_change_identity(const struct settings *settings, struct error *err) MUST_USE;

/*
 * Opens the store for this process alone, unless *is_shared; if a server uses it, beside the
 * server, and sets *is_shared. A bucket is always shared. *ret is the caller's, free with
 * store_close().
 */
int offline_open_store_alone(const struct settings *settings, bool *is_shared, struct store **ret,
                             struct error *err) MUST_USE;

/* Opens it beside servers. */
int offline_open_store(const struct settings *settings, struct store **ret,
                       struct error *err) MUST_USE;
