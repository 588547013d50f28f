#pragma once

#include "registry/core/store.h"
#include "registry/core/tag-table.h"
#include "registry/spec/name.h"

/*
 * By which names a repository knows a manifest: digests and tags. There is no index from manifests
 * to tags, because registry:2 could not keep it, so all tags are read.
 */

/* Lists the digests: aliases, then the canonical one. *ret may have some if this fails. */
int manifest_names_find_digests(struct store *store, const char *name,
                                const struct digest *canonical, struct store_digests *ret,
                                struct error *err) MUST_USE;

/* All borrowed. */
struct manifest_names_query {
    struct store *store;
    const char *name; /* of the repository */
    const struct store_digests *digests;
    const struct tag_table *others; /* of manifest_names_read_others(); NULL: none are known */
};

/* Lists the tags that name one of the digests. *ret may have some if this fails. */
int manifest_names_find_tags(const struct manifest_names_query *query, struct store_names *ret,
                             struct error *err) MUST_USE;

/* A part of all tags, which is read at once. */
struct manifest_names_part {
    const char *last; /* of the part before; "" for the first one */
    int64_t end_ms;   /* of monotonic_ms(): reading ends, but not before some tags were read */
    char next[TAG_MAX_SIZE + 1]; /* set to the last tag that was read; "": there are no more */
    size_t seen, total;          /* set to the numbers of tags up to there, and of all tags */
};

/* Like manifest_names_find_tags() for a part of the tags, so that callers can show the progress. */
int manifest_names_find_part(const struct manifest_names_query *query,
                             struct manifest_names_part *part, struct store_names *ret,
                             struct error *err) MUST_USE;

/*
 * Reads which tags name other manifests, and their times. With that, manifest_names_find_tags()
 * reads only the tags that have changed since; so a caller that must keep others out while it finds
 * the tags can do most of the work before. *ret is owned by the caller, free with tag_table_free();
 * NULL where a time costs as much as the tag.
 */
int manifest_names_read_others(const struct manifest_names_query *query, struct tag_table **ret,
                               struct error *err) MUST_USE;
