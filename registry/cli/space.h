#pragma once

#include "registry/access/rules.h"
#include "registry/core/collect.h"
#include "registry/core/retention.h"

/*
 * Frees space: removes the tags that the access file does not keep, then collects garbage. For
 * `registryd prune` and for the schedule of `serve`.
 */
struct space_options {
    const struct rules *rules; /* borrowed; NULL: no retention */
    bool is_dry_run;
    bool does_untag; /* remove all untagged manifests, as garbage-collect --delete-untagged does */
    uint64_t grace_s;
    void (*tell)(void *object, const char *line); /* gets a line for each tag that is removed */
    progress_function *progress; /* receives the progress; may be NULL */
    void *progress_object;
    int (*pace)(void *object, struct error *err); /* see registry/core/collect.h; may be NULL */
    void *object;
};

struct space_result {
    size_t tags, manifests, blobs;
    uint64_t bytes;
};

/*
 * Returns 0, or negative; -ECANCELED if pace returned it. If a repository's tags cannot be read,
 * the others are still processed.
 */
int space_run(struct store *store, const struct space_options *options, struct space_result *ret,
              struct error *err) MUST_USE;
