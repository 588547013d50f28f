#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/core/store.h"

/* What takes the space: the bytes of the blobs and manifests that somebody has, each counted once.
 */
struct usage {
    uint64_t bytes;
    uint64_t alone; /* of these, the bytes that nobody else on the same list has */
    size_t objects; /* blobs and manifests */
};

/*
 * Measures each repository of a list, which may be all or some: ret has room for names->count,
 * *ret_total is for all of them together. A blob that the repository links counts, whether a
 * manifest names it or not; bytes that are missing count 0. Reads the sizes only, beside servers,
 * in memory of about 50 bytes for each blob of each repository.
 */
int store_measure_repositories(struct store *store, const struct store_names *names,
                               struct usage *ret, struct usage *ret_total,
                               struct error *err) MUST_USE;

/*
 * Measures each tag of a repository, with everything that its manifest names, directly or through
 * an index: ret has room for tags->count. *ret_rest is what the repository has and none of these
 * tags names, *ret_total everything that it has. A tag that is gone meanwhile has 0 bytes.
 */
int store_measure_tags(struct store *store, const char *name, const struct store_names *tags,
                       struct usage *ret, struct usage *ret_rest, struct usage *ret_total,
                       struct error *err) MUST_USE;
