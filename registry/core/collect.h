#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/core/progress.h"
#include "registry/core/store.h"

/*
 * Garbage collection: removes blobs that no manifest names any more, like registry:2's `registry
 * garbage-collect`. Runs on one thread. With a grace period, servers may use the storage at the
 * same time.
 */

/*
 * The shortest grace period while servers run: STORE_WANTED_FOR_S, STORAGE_REFRESH_S, and a margin
 * for clock skew.
 */
enum { COLLECT_LEAST_GRACE_S = 120, COLLECT_USUAL_GRACE_S = 24 * 60 * 60 };

struct collect_options {
    bool is_dry_run; /* only report what would be done */
    bool does_untag; /* --delete-untagged: remove manifests that no tag leads to, too */
    /*
     * Objects that were pushed, mounted or requested within this time stay. 0: no grace, which is
     * only safe if no server is running.
     */
    uint64_t grace_s;
    /* receives each step, worded as in registry:2; NULL: silent */
    void (*say)(void *object, const char *line);

    /*
     * How long a manifest of the repository stays after it was first seen without a tag, in
     * seconds; 0: it stays. NULL: all stay, unless does_untag says otherwise.
     */
    uint64_t (*untagged_for)(void *object, const char *name);

    /*
     * Called between two steps, without a lock that others wait for; may sleep. Negative ends the
     * collection. May be NULL.
     */
    int (*pace)(void *object, struct error *err);
    void *object;
    progress_function *progress; /* receives the progress; may be NULL */
    void *progress_object;
};

struct collect_result {
    size_t marked;    /* blobs and manifests that are in use */
    size_t blobs;     /* that were (or would be) removed */
    size_t manifests; /* that were (or would be) removed */
    uint64_t bytes;   /* of blobs that were (or would be) removed */
};

/*
 * Marks, then sweeps. Nothing is removed unless every manifest of every repository could be read. A
 * manifest stays if a tag leads to it: directly, through indexes at any depth, or as a referrer of
 * a subject that stays. Without does_untag, all manifests stay. Uploads stay.
 * docs/design/collection.md explains why concurrent pushes lose nothing.
 */
int store_collect(struct store *store, const struct collect_options *options,
                  struct collect_result *ret, struct error *err) MUST_USE;
