#pragma once

#include "common/secbuf.h"
#include "helper/pass/change.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/*
 * Writes an entry, or replaces it, and then removes the server's other users: the last login wins.
 * message (borrowed) is the finished OpenPGP message. The store must be locked.
 *
 * At any moment, even after a power failure, either the old or the new entry is complete. A
 * replaced entry keeps its mode, except write permission for everybody. If an entry is a link to an
 * encrypted message that the user owns, that file is replaced, as with pass. If it is a link to
 * anything else (EPERM), or if a directory below docker-credential-helpers is a link (ELOOP),
 * nothing is written. 0 with changes appended; or negative, with the entry as before and nothing
 * left behind.
 */
int pass_insert(struct pass_store *store, const struct pass_path *path,
                const struct secbuf *message, struct pass_changes *changes,
                struct error *err) MUST_USE;
