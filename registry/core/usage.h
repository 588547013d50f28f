#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/core/progress.h"
#include "registry/core/store.h"

/* Disk usage: the bytes of the blobs and manifests of an owner, each counted once. */
struct usage {
    uint64_t bytes;
    uint64_t alone; /* of these, the bytes that no other owner on the list has */
    size_t objects; /* blobs and manifests */
};

/* A tag that is measured, and the manifest that it names. */
struct usage_tag {
    size_t index; /* of the tag in the list */
    struct digest digest;
    int result;                    /* of store_get_manifest(); not 0: there is no content */
    struct store_content *content; /* borrowed */
};

/* Called once for each tag. May take the content and set it to zeros. Negative: measuring fails. */
typedef int usage_tag_function(void *object, const struct usage_tag *tag, struct error *err);

/* All may be NULL. */
struct usage_options {
    usage_tag_function *visit; /* for store_measure_tags() */
    void *object;              /* for visit */
    progress_function *progress;
    void *progress_object;
};

/*
 * Measures the repositories of a list. ret has room for names->count entries; *ret_total is for all
 * of them together. Every blob that a repository links counts, even if no manifest names it;
 * missing bytes count 0. Reads only sizes, while servers may be running, and needs about 50 bytes
 * of memory for each blob of each repository.
 */
int store_measure_repositories(struct store *store, const struct store_names *names,
                               const struct usage_options *options, struct usage *ret,
                               struct usage *ret_total, struct error *err) MUST_USE;

/*
 * Measures the tags of a repository, each with everything that its manifest names, directly or
 * through an index. ret has room for tags->count entries. *ret_rest is for everything in the
 * repository that none of these tags names, *ret_total for everything in the repository. A tag that
 * was deleted in the meantime has 0 bytes. options->visit sees each tag with its manifest, so that
 * callers need not read it again.
 */
int store_measure_tags(struct store *store, const char *name, const struct store_names *tags,
                       const struct usage_options *options, struct usage *ret,
                       struct usage *ret_rest, struct usage *ret_total, struct error *err) MUST_USE;
