#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "registry/core/progress.h"
#include "registry/core/store.h"

/*
 * Copies a registry from one storage to another, of any kind: repositories with their blobs,
 * manifests and tags, records, and secrets. What is there already is not copied again, so a copy
 * that was interrupted continues, and another copy catches up with what was pushed meanwhile.
 * docs/moving.md describes what is copied.
 *
 * Servers may use both storages. At any time everything that the links in the destination lead to
 * is there, because bytes are copied before links, and manifests before tags. All bytes are
 * compared with their digests on the way.
 */
struct copy_options {
    /*
     * Also remove the tags, manifests and links to blobs that the source does not have, such as a
     * tag that was deleted after it was copied. Otherwise they are counted.
     */
    bool does_delete;
    /* receives each problem, from one thread at a time; NULL: silent */
    void (*say)(void *object, const char *line);
    void *object;
    progress_function *progress; /* from one thread at a time; may be NULL */
    void *progress_object;
};

struct copy_result {
    uint64_t blobs, bytes; /* that were copied; manifests count as blobs */
    uint64_t links;        /* links, tags and records that were written */
    uint64_t removed;      /* tags, manifests and links to blobs */
    uint64_t surplus;      /* the same, which only the destination has, and which stay */
    uint64_t damaged;      /* blobs, manifests and tags of the source that cannot be copied */
};

/*
 * The destination's storage must not be the source's. Returns 0, also if something is damaged, or
 * negative if the copy could not be completed.
 */
int store_copy(struct store *from, struct store *to, const struct copy_options *options,
               struct copy_result *ret, struct error *err) MUST_USE;
