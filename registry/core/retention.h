#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/core/progress.h"
#include "registry/core/store.h"

/*
 * Retention removes the tags that no condition of a policy keeps. A tag that cannot be read, or
 * whose time is not known, stays. docs/rights-and-space.md describes it. registry/core/collect.h
 * removes untagged manifests.
 */

/* The conditions under which tags stay. A condition of 0 keeps nothing. */
struct retention_policy {
    uint64_t newest;   /* this number of the newest unprotected tags stay */
    uint64_t pushed_s; /* tags that were pushed within this time stay */
    uint64_t pulled_s; /* tags that were pulled or pushed within this time stay */
};

/* Each function receives object. */
struct retention_options {
    bool is_dry_run;

    /* Finds the policy of a repository. False: no tag of the repository is removed. */
    bool (*find_policy)(void *object, const char *name, struct retention_policy *ret);

    /* Whether the tag always stays. */
    bool (*is_protected)(void *object, const char *name, const char *tag);

    /*
     * Called for each tag that is (or would be) removed, and for each one that cannot be read.
     * reason is for display.
     */
    void (*tell)(void *object, const char *name, const char *tag, const char *reason);

    progress_function *progress; /* receives the progress; may be NULL */
    void *progress_object;

    /* Called between two steps; may sleep. A negative result ends the run. May be NULL. */
    int (*pace)(void *object, struct error *err);
    void *object;
};

struct retention_result {
    size_t tags; /* how many were (or would be) removed */
};

/*
 * Runs on one thread; servers may be running. If a repository cannot be read, the others are still
 * processed, and the first failure is returned.
 */
int store_retain(struct store *store, const struct retention_options *options,
                 struct retention_result *ret, struct error *err) MUST_USE;
