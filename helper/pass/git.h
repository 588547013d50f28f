#pragma once

#include "common/error.h"
#include "helper/pass/change.h"
#include "helper/pass/store.h"

/*
 * Commits each change in the innermost git work tree that holds it, not above the store: that path
 * alone, with pass's message, signed where pass.signcommits is true. Does nothing, and starts no
 * process, where there is no such work tree. The store should be locked. What the repository may
 * have git run: see git-trust.h.
 *
 * git and its hooks may take gpg_patience() for each change (ten minutes more to sign it, for which
 * a person may be asked), and are stopped then. 0; PASS_GIT_SWITCHED_OFF, committed, with err
 * naming the programs that did not run; or negative for the first change that could not be
 * committed (the others still are, unless the time was up).
 */
enum { PASS_GIT_SWITCHED_OFF = 1 };
int pass_git_record(const struct pass_store *store, const struct pass_changes *changes,
                    struct error *err) MUST_USE;

/*
 * Unsets the variables that would make git use another repository (GIT_DIR and others), and keeps
 * it from searching for one above the store. Before every run of git. 0 or -ENOMEM.
 */
int pass_git_set_environment(const struct pass_store *store) MUST_USE;
