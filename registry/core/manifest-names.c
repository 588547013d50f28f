#include "registry/core/manifest-names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"

enum { BETWEEN_CLOCKS = 32 };

/* The time of a file that was changed more recently may stay the same when it is changed again. */
static const int64_t settled_ns = INT64_C(2000000000);

int manifest_names_find_digests(struct store *store, const char *name,
                                const struct digest *canonical, struct store_digests *ret,
                                struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests aliases = {0};
    CLEANUP(store_digests_done) struct store_digests canonicals = {0};
    int r = store_list_aliases(store, name, &aliases, &canonicals, err);

    for (size_t i = 0; r == 0 && i < aliases.count; i++) {
        if (digest_is_equal(&canonicals.items[i], canonical) &&
            store_digests_add(ret, &aliases.items[i]) < 0)
            return error_set_oom(err);
    }
    if (r == 0 && store_digests_add(ret, canonical) < 0)
        return error_set_oom(err);
    return r;
}

/* Whether a tag names one of the digests: 1, 0 or negative. A damaged tag names none. */
static int names_manifest(const struct manifest_names_query *query, const char *tag,
                          struct error *err)
{
    struct digest digest;
    int r = store_resolve_tag(query->store, query->name, tag, STORE_MAY_WAIT, &digest, err);

    if (r != 0)
        return r == -EBADMSG || r == STORE_NOT_FOUND ? 0 : r;
    for (size_t i = 0; i < query->digests->count; i++)
        if (digest_is_equal(&query->digests->items[i], &digest))
            return 1;
    return 0;
}

/* --- tags of other manifests ---------------------------------------------------------------- */

/* 0 or STORE_NOT_FOUND, or negative. */
static int find_time(const struct manifest_names_query *query, const char *tag, int64_t *ret_ns,
                     struct error *err)
{
    struct key link = key_tag_current(query->name, tag);

    return storage_last_use(query->store->storage, link.text, ret_ns, err);
}

/* The time is read before the tag, so a change between them is seen. */
static int read_other(const struct manifest_names_query *query, const char *tag,
                      int64_t settled_before_ns, struct tag_table *others, struct error *err)
{
    int64_t pushed_ns;
    int r = store_may_go_on(query->store, err);

    if (r == 0)
        r = find_time(query, tag, &pushed_ns, err);
    if (r != 0 || pushed_ns >= settled_before_ns)
        return r < 0 ? r : 0;
    r = names_manifest(query, tag, err);
    if (r == 0)
        tag_table_add(others, tag, pushed_ns);
    return r < 0 ? r : 0;
}

int manifest_names_read_others(const struct manifest_names_query *query, struct tag_table **ret,
                               struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list tags = {0};
    struct storage *storage = query->store->storage;
    int64_t settled_before_ns = storage_now(storage) * INT64_C(1000000000) - settled_ns;
    struct tag_table *others;
    size_t size = 0;
    int r;

    *ret = NULL;
    if (storage_is_remote(storage))
        return 0;
    r = store_list_tag_entries(query->store, query->name, &tags, err);
    if (r != 0)
        return r;
    for (size_t i = 0; i < tags.count; i++)
        size += strlen(tags.entries[i]->name) + 1;
    others = tag_table_new(tags.count, size);
    if (!others)
        return error_set_oom(err);
    for (size_t i = 0; r == 0 && i < tags.count; i++)
        r = read_other(query, tags.entries[i]->name, settled_before_ns, others, err);
    if (r < 0)
        tag_table_free(others);
    else
        *ret = others;
    return r;
}

/* Both lists are in the order of names: *next is where the search in others goes on. */
static bool is_other(const struct manifest_names_query *query, const char *tag, size_t *next)
{
    const struct tag_table *others = query->others;
    struct error ignored;
    int64_t pushed_ns;
    int order = -1;

    while (others && *next < others->count &&
           (order = strcmp(tag_table_name(others, &others->rows[*next]), tag)) < 0)
        ++*next;
    return order == 0 && find_time(query, tag, &pushed_ns, &ignored) == 0 &&
           others->rows[*next].pushed_ns == pushed_ns;
}

/* Adds the tag if it names one of the digests. next: see is_other(). */
static int find_tag(const struct manifest_names_query *query, const char *tag, size_t *next,
                    struct store_names *ret, struct error *err)
{
    int r = store_may_go_on(query->store, err);

    if (r == 0 && !is_other(query, tag, next))
        r = names_manifest(query, tag, err);
    if (r > 0 && store_names_add(ret, tag) < 0)
        return error_set_oom(err);
    return r < 0 ? r : 0;
}

int manifest_names_find_part(const struct manifest_names_query *query,
                             struct manifest_names_part *part, struct store_names *ret,
                             struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list tags = {0};
    int r = store_list_tag_entries(query->store, query->name, &tags, err);
    size_t i = 0, first, next = 0;

    if (r < 0)
        return r;
    while (i < tags.count && strcmp(tags.entries[i]->name, part->last) <= 0)
        i++;
    for (first = i; r == 0 && i < tags.count; i++) {
        if (i > first && (i - first) % BETWEEN_CLOCKS == 0 && monotonic_ms() >= part->end_ms)
            break;
        r = find_tag(query, tags.entries[i]->name, &next, ret, err);
    }
    part->seen = i;
    part->total = tags.count;
    snprintf(part->next, sizeof(part->next), "%s",
             i > first && i < tags.count ? tags.entries[i - 1]->name : "");
    return r < 0 ? r : 0;
}

int manifest_names_find_tags(const struct manifest_names_query *query, struct store_names *ret,
                             struct error *err)
{
    struct manifest_names_part all = {.last = "", .end_ms = INT64_MAX};

    return manifest_names_find_part(query, &all, ret, err);
}
