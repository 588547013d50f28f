#pragma once

#include "registry/core/digest-set.h"
#include "registry/core/store.h"

/*
 * A record of when garbage collection first saw manifests of a repository without a tag: an object
 * in the repository with lines "<hex> <seconds since 1970>". If it is lost, the times start again.
 */
struct untagged_entry {
    struct digest_id id;
    int64_t since_s;
};

struct untagged {
    struct untagged_entry *items; /* sorted by id after untagged_read() */
    size_t count;
};

/*
 * Reads the record. *ret is owned by the caller, free with untagged_done(). A missing or damaged
 * record counts as empty.
 */
int untagged_read(struct store *store, const char *name, struct untagged *ret,
                  struct error *err) MUST_USE;
void untagged_done(struct untagged *record);

/* Since when a manifest is without a tag, or now_s if it is not in the record. */
int64_t untagged_find(const struct untagged *record, const struct digest_id *id, int64_t now_s);

/* Appends. 0 or -ENOMEM. */
int untagged_add(struct untagged *record, const struct digest_id *id, int64_t since_s) MUST_USE;

bool untagged_is_same(const struct untagged *a, const struct untagged *b);
int untagged_write(struct store *store, const char *name, const struct untagged *record,
                   struct error *err) MUST_USE;
