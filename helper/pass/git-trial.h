#pragma once

#include "common/error.h"
#include "helper/pass/git-trust.h"

/*
 * Whether git would refuse to record an entry in an inspected repository, for a reason that the
 * user's own configuration gives: a hook that every commit runs, or a key for signing that gpg does
 * not have. Nothing is signed.
 *
 * The hooks run on a file like an entry, in a new repository in a temporary directory; git stops
 * before it would make the commit, so that post-commit does not run. If there is no such hook, none
 * of this is done.
 *
 * 0 if nothing is known to be in the way; one of the outcomes with err; or negative if it could not
 * be tried. pass_git_set_environment() must have been called.
 */
enum pass_git_obstacle {
    PASS_GIT_HOOK_REFUSES = 1,
    PASS_GIT_KEY_MISSING,      /* because of commit.gpgsign */
    PASS_GIT_PASS_KEY_MISSING, /* because of pass.signcommits */
};
int pass_git_try_commit(const char *directory, const struct pass_git_trust *trust,
                        struct error *err) MUST_USE;
