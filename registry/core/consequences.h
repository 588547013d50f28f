#pragma once

#include "registry/core/manifest-names.h"
#include "registry/core/store.h"

/* What goes, or may go, when a manifest is deleted, to warn people before they do it. */
struct consequences {
    struct store_names tags; /* that name it, and are deleted with it, of this part */
    /*
     * The manifest and the blobs that it names and no other manifest of the repository does. Other
     * repositories may have them. Not known (false) in a repository with very many manifests, and
     * in all parts but the first.
     */
    bool are_blobs_known;
    struct store_blob *blobs;
    size_t blob_count;
};

enum { CONSEQUENCES_MANIFESTS_MAX = 5000 };

/* All borrowed. The first part (last is "") also says which blobs go. */
struct consequences_query {
    const char *name; /* of the repository */
    const struct digest *digest;
    struct manifest_names_part *part; /* of the tags */
};

/*
 * Reads a part of the tags of the repository and, up to that number, all of its manifests.
 * STORE_NOT_FOUND. *ret is owned by the caller, free with consequences_done().
 */
int store_find_consequences(struct store *store, const struct consequences_query *query,
                            struct consequences *ret, struct error *err) MUST_USE;
void consequences_done(struct consequences *consequences);
