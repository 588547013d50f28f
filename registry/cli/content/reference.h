#pragma once

#include <stdbool.h>

#include "common/digest.h"
#include "common/error.h"
#include "registry/core/store.h"
#include "registry/spec/name.h"

/* An operand of the command line: REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST. */
struct reference {
    char name[NAME_MAX_SIZE + 1];
    char tag[TAG_MAX_SIZE + 1]; /* "" without one */
    bool has_digest;
    struct digest digest;
};

/* 0 or negative. */
int reference_parse(const char *text, struct reference *ret, struct error *err) MUST_USE;

/* Whether the reference names a manifest, not a whole repository. */
static inline bool reference_is_manifest(const struct reference *reference)
{
    return *reference->tag || reference->has_digest;
}

/* The digest of the existing manifest that the reference names. If it is missing, fills err. */
int reference_resolve(struct store *store, const struct reference *reference, struct digest *ret,
                      struct error *err) MUST_USE;

/*
 * Lists all tags of a repository, as store_list_tags() does. If the repository does not exist,
 * fills err. 0 or negative.
 */
int reference_list_tags(struct store *store, const char *name, struct store_names *ret,
                        struct error *err) MUST_USE;
