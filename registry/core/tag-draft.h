#pragma once

#include "registry/core/store-private.h"
#include "registry/core/tag-table.h"

/*
 * A table of tags while it is being read. Times that an older table has are taken from there,
 * except of some tags that are read again. For one thread at a time.
 */
struct tag_draft;

/* All borrowed; valid until the draft is freed. */
struct tag_draft_sources {
    struct store *store;
    const char *name;            /* of the repository */
    const struct tag_table *old; /* NULL: none */
    /* which tags are read again, by their number in the list */
    size_t check_first, check_count;
};

/* Lists the tags. STORE_NOT_FOUND. *ret is the caller's, free with tag_draft_free(). */
int tag_draft_begin(const struct tag_draft_sources *sources, struct tag_draft **ret,
                    struct error *err) MUST_USE;
void tag_draft_free(struct tag_draft *draft); /* accepts NULL */

/* Reads until end_ms (of monotonic_ms()). 0 at the end; STORE_WOULD_WAIT: call it again. */
int tag_draft_read(struct tag_draft *draft, int64_t end_ms, struct error *err) MUST_USE;

/* What has been read so far; not sealed. Borrowed. */
const struct tag_table *tag_draft_get(const struct tag_draft *draft);

/* The complete table, sealed, owned by the caller. NULL: out of memory. */
struct tag_table *tag_draft_take(struct tag_draft *draft);

/* How many tags the list has. */
size_t tag_draft_count(const struct tag_draft *draft);
