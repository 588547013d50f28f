#pragma once

#include <stdbool.h>
#include <time.h>

#include "common/error.h"

/*
 * Which programs a repository in a store may have git run. A `.git` directory can name programs:
 * hooks, filters, monitors, signers. If the store came from an archive or from another person,
 * these are that person's programs. They run only after the user has allowed it once, in their own
 * configuration:
 *
 * git config --global --add docker-credential-pass.trustedRepository /path/to/store
 */
#define PASS_GIT_TRUST_KEY "docker-credential-pass.trustedRepository"

enum pass_git_verdict {
    PASS_GIT_TRUSTED, /* the user has named it: git runs as pass runs it */
    /* it names no program, or only hooks and monitors that pass_git_overrides() switches off */
    PASS_GIT_PLAIN,
    PASS_GIT_REFUSED, /* git must not run in it at all */
};

struct pass_git_trust {
    enum pass_git_verdict verdict;
    bool is_signing; /* pass.signcommits */
    char why[300];   /* PASS_GIT_REFUSED: the reason */
    /* PASS_GIT_PLAIN: the repository's own programs that do not run, separated by ", "; or "" */
    char switched_off[300];
    char hooks_path[4200]; /* "core.hooksPath=..." with the value that git must use */
    char fsmonitor[4200];  /* "core.fsmonitor=..." */
};

/*
 * Inspects the repository whose `.git` lies in directory, an absolute path. Runs `git config` for
 * at most seconds, which runs no program of the repository's. 0 with *ret; or negative if git could
 * not be run.
 */
int pass_git_inspect(const char *directory, int seconds, struct pass_git_trust *ret,
                     struct error *err) MUST_USE;

/*
 * Appends options to argv that keep git from running the repository's own programs: at most
 * PASS_GIT_OVERRIDES words, borrowed from trust. Returns the new count.
 */
enum { PASS_GIT_OVERRIDES = 8 };
size_t pass_git_overrides(const struct pass_git_trust *trust, const char *argv[], size_t count);
