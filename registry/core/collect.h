#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/core/store.h"

/*
 * The collection of garbage: what no manifest names any more is removed, as by
 * `registry garbage-collect` of registry:2. On one thread; servers may go on meanwhile if there is a grace.
 */

/* The least grace beside servers: STORE_WANTED_FOR_S and DRIVER_WANTED_S, and some for what clocks differ. */
enum { COLLECT_LEAST_GRACE_S = 120, COLLECT_USUAL_GRACE_S = 24 * 60 * 60 };

struct collect_options {
    bool is_dry_run;  /* only say what would be done */
    bool does_untag;  /* --delete-untagged: manifests that no tag leads to go too */
    /* What was pushed, mounted or asked for so lately stays; 0: nothing for that, and nobody may be beside us. */
    uint64_t grace_s;
    void (*say)(void *object, const char *line); /* each step in the words of registry:2; NULL: silently */

    /*
     * How long a manifest of the repository stays after it was first seen without a tag, in seconds; 0: it stays. NULL: all
     * stay, unless does_untag says otherwise.
     */
    uint64_t (*untagged_for)(void *object, const char *name);

    /* Called between two steps, without a lock that others wait for; may rest. Negative ends the collection. NULL: nothing. */
    int (*pace)(void *object, struct error *err);
    void *object;
};

struct collect_result {
    size_t marked;    /* blobs and manifests that are in use */
    size_t blobs;     /* that were (or would be) removed */
    size_t manifests; /* likewise */
    uint64_t bytes;   /* of blobs that were removed */
};

/*
 * Marks, then sweeps: nothing is removed unless every manifest of every repository could be read.
 * A manifest stays if a tag leads to it, directly, through indexes at any depth, or by being the
 * subject's referrer; without does_untag all stay. Uploads stay. docs/design/collection.md says why
 * nothing is lost that servers are being pushed meanwhile.
 */
int store_collect(struct store *store, const struct collect_options *options, struct collect_result *ret,
                  struct error *err) MUST_USE;
