#pragma once

#include "registry/core/store-private.h"
#include "registry/core/tag-table.h"

/*
 * Brings a table of tags up to date where it is known which tags changed. Reads only those tags,
 * so the storage need not list the repository again.
 */
struct tag_patch {
    struct store *store;
    const char *name;            /* of the repository */
    const struct tag_table *old; /* sealed */
    struct store_names changed;  /* tags that were pushed or deleted, in any order */
    size_t done;                 /* how many of them the new table has, once they are sorted */
};

/*
 * Reads changed tags until end_ms (of monotonic_ms()), at least one. *ret is a sealed table, owned
 * by the caller. Sorts patch->changed; those from patch->done on remain to be read.
 */
int tag_patch_apply(struct tag_patch *patch, int64_t end_ms, struct tag_table **ret,
                    struct error *err) MUST_USE;
