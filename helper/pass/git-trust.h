#pragma once

#include <stdbool.h>
#include <time.h>

#include "common/error.h"

/*
 * What a repository in a store may have git do. A `.git` directory names programs: hooks, filters,
 * monitors, signers. In a store that came from an archive or from somebody else, these are somebody
 * else's programs. They run only after the user has said so once, in their own configuration:
 *
 *     git config --global --add docker-credential-pass.trustedRepository /path/to/store
 */
#define PASS_GIT_TRUST_KEY "docker-credential-pass.trustedRepository"

enum pass_git_verdict {
    PASS_GIT_TRUSTED, /* the user has named it: git runs as pass runs it */
    /* it names no program, or only hooks and monitors that pass_git_overrides() switches off */
    PASS_GIT_PLAIN,
    PASS_GIT_REFUSED, /* git is not to be run in it at all */
};

struct pass_git_trust {
    enum pass_git_verdict verdict;
    bool is_signing; /* pass.signcommits */
    char why[300];   /* PASS_GIT_REFUSED: what is in the way */
    /* PASS_GIT_PLAIN: the repository's own programs that do not run, separated by ", "; or "" */
    char switched_off[300];
    char hooks_path[4200]; /* "core.hooksPath=..." as git is to have it */
    char fsmonitor[4200];  /* "core.fsmonitor=..." */
};

/*
 * Inspects the repository whose `.git` lies in directory, an absolute path. Runs `git config` for
 * at most seconds, which runs no program of the repository's. 0 with *ret; or negative, where git
 * could not be run.
 */
int pass_git_inspect(const char *directory, int seconds, struct pass_git_trust *ret,
                     struct error *err) MUST_USE;

/*
 * Appends to argv the options by which git, run in an inspected repository, runs nothing of the
 * repository's own: at most PASS_GIT_OVERRIDES words, borrowed from trust. Returns the new count.
 */
enum { PASS_GIT_OVERRIDES = 8 };
size_t pass_git_overrides(const struct pass_git_trust *trust, const char *argv[], size_t count);
