#pragma once

#include "common/secbuf.h"
#include "helper/pass/change.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/*
 * Writes an entry, or replaces it, and then removes the server's other users: the last login
 * wins. message (borrowed) is the finished OpenPGP message. The store must be locked.
 *
 * At any moment, also at a power failure, the old entry or the new one is there whole. Its mode is
 * kept when it is replaced, but for writing by everybody. An entry that is a link is written
 * through, as pass does, where it leads to an encrypted message that the user owns; where it leads
 * to anything else, and where a directory below docker-credential-helpers is a link, nothing is
 * written (EPERM, ELOOP). 0 with changes appended, or negative: the entry is as before and nothing
 * is left behind.
 */
int pass_insert(struct pass_store *store, const struct pass_path *path,
                const struct secbuf *message, struct pass_changes *changes,
                struct error *err) MUST_USE;
