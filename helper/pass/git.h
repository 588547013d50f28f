#pragma once

#include "common/error.h"
#include "helper/pass/change.h"
#include "helper/pass/store.h"

/*
 * Commits each change in the innermost git work tree that contains it, but never above the store:
 * only that path, with pass's message, and signed if pass.signcommits is true. If there is no such
 * work tree, does nothing and starts no process. The store should be locked. git-trust.h says which
 * of the repository's programs may run.
 *
 * git and its hooks are stopped after gpg_patience() for each change. Signing may take ten minutes
 * more, because a person may be asked. 0; PASS_GIT_SWITCHED_OFF if everything is committed and err
 * names programs that did not run; or negative for the first change that could not be committed
 * (the others still are, unless the time was up).
 */
enum { PASS_GIT_SWITCHED_OFF = 1 };
int pass_git_record(const struct pass_store *store, const struct pass_changes *changes,
                    struct error *err) MUST_USE;

/*
 * Unsets the variables that would make git use another repository (GIT_DIR and others), and keeps
 * it from searching for one above the store. Before every run of git. 0 or -ENOMEM.
 */
int pass_git_set_environment(const struct pass_store *store) MUST_USE;
