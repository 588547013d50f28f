#pragma once

#include "registry/core/digest-set.h"
#include "registry/core/store.h"

/*
 * Since when manifests of a repository have been seen without a tag: an object in the repository that collections write
 * ("<hex> <seconds since 1970>" in each line). If it is lost, the time begins anew.
 */
struct untagged_entry {
    struct digest_id id;
    int64_t since_s;
};

struct untagged {
    struct untagged_entry *items; /* sorted by id after untagged_read() */
    size_t count;
};

/* *ret is the caller's, free with untagged_done(). A missing or damaged record is an empty one. */
int untagged_read(struct store *store, const char *name, struct untagged *ret, struct error *err) MUST_USE;
void untagged_done(struct untagged *record);

/* Since when, or now_s for one that is not in the record. */
int64_t untagged_find(const struct untagged *record, const struct digest_id *id, int64_t now_s);

/* Appends. 0 or -ENOMEM. */
int untagged_add(struct untagged *record, const struct digest_id *id, int64_t since_s) MUST_USE;

bool untagged_is_same(const struct untagged *a, const struct untagged *b);
int untagged_write(struct store *store, const char *name, const struct untagged *record, struct error *err) MUST_USE;
