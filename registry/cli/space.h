#pragma once

#include "registry/access/rules.h"
#include "registry/core/collect.h"
#include "registry/core/retention.h"

/*
 * One run that makes room: retention as the access file says, then the collection of garbage. For `registryd prune` and for
 * the schedule of `serve`.
 */
struct space_options {
    const struct rules *rules; /* borrowed; NULL: no retention */
    bool is_dry_run;
    bool does_untag; /* all untagged manifests go, as with garbage-collect --delete-untagged */
    uint64_t grace_s;
    void (*tell)(void *object, const char *line); /* a line for each tag that goes */
    int (*pace)(void *object, struct error *err); /* see registry/core/collect.h; may be NULL */
    void *object;
};

struct space_result {
    size_t tags, manifests, blobs;
    uint64_t bytes;
};

/* 0, or negative; -ECANCELED if pace says so. A repository whose tags cannot be read does not stop the rest. */
int space_run(struct store *store, const struct space_options *options, struct space_result *ret, struct error *err) MUST_USE;
