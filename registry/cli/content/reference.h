#pragma once

#include <stdbool.h>

#include "common/digest.h"
#include "common/error.h"
#include "registry/core/store.h"
#include "registry/spec/name.h"

/* What people write for something in the registry: REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST.
 */
struct reference {
    char name[NAME_MAX_SIZE + 1];
    char tag[TAG_MAX_SIZE + 1]; /* "" without one */
    bool has_digest;
    struct digest digest;
};

/* 0 or negative. */
int reference_parse(const char *text, struct reference *ret, struct error *err) MUST_USE;

/* Whether the reference is of a manifest, and not of a whole repository. */
static inline bool reference_is_manifest(const struct reference *reference)
{
    return *reference->tag || reference->has_digest;
}

/* The digest of the manifest that it names, which exists. A missing one is an error in words. */
int reference_resolve(struct store *store, const struct reference *reference, struct digest *ret,
                      struct error *err) MUST_USE;

/*
 * All tags of a repository, as store_list_tags() lists them; a repository that does not exist is an
 * error in words. 0 or negative.
 */
int reference_list_tags(struct store *store, const char *name, struct store_names *ret,
                        struct error *err) MUST_USE;
