#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "registry/store/store.h"

/*
 * The collection of garbage: what no manifest names any more is removed, as by
 * `registry garbage-collect` of registry:2. The store must be opened for this alone, unless it is
 * a dry run. On one thread.
 */
struct collect_options {
    bool is_dry_run;        /* only say what would be done */
    bool does_untag;        /* --delete-untagged: manifests that no tag leads to go too */
    void (*say)(void *object, const char *line); /* each step in the words of registry:2; NULL: silently */
    void *object;
};

struct collect_result {
    size_t marked;    /* blobs and manifests that are in use */
    size_t blobs;     /* that were (or would be) removed */
    size_t manifests; /* likewise */
};

/*
 * Marks, then sweeps: nothing is removed unless every manifest of every repository could be read.
 * A manifest stays if a tag leads to it, directly, through indexes at any depth, or by being the
 * subject's referrer; without does_untag all stay. Uploads stay.
 */
int store_collect(struct store *store, const struct collect_options *options, struct collect_result *ret,
                  struct error *err) MUST_USE;
