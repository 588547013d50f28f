#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/core/store.h"

/*
 * Retention: removes tags that no condition of a policy keeps. What cannot be read, or whose time is not known, stays.
 * docs/rights-and-space.md describes it. Untagged manifests are removed by registry/core/collect.h.
 */

/* 0: the condition keeps nothing. */
struct retention_policy {
    uint64_t newest;   /* this many of the tags that are not protected stay, those that were pushed last */
    uint64_t pushed_s; /* what was pushed since then */
    uint64_t pulled_s; /* what was pulled or pushed since then */
};

/* All functions get object. */
struct retention_options {
    bool is_dry_run;

    /* False: no tag of the repository is removed. */
    bool (*find_policy)(void *object, const char *name, struct retention_policy *ret);

    /* Whether the tag always stays. */
    bool (*is_protected)(void *object, const char *name, const char *tag);

    /* Told of each tag that is (or would be) removed, and of what cannot be read; reason is for people. */
    void (*tell)(void *object, const char *name, const char *tag, const char *reason);

    /* Called between two steps; may rest. Negative ends the run with that. NULL: nothing. */
    int (*pace)(void *object, struct error *err);
    void *object;
};

struct retention_result {
    size_t tags; /* that were (or would be) removed */
};

/* On one thread, beside servers. A repository that cannot be read does not stop the others; the first failure is returned. */
int store_retain(struct store *store, const struct retention_options *options, struct retention_result *ret,
                 struct error *err) MUST_USE;
