#include "registry/core/tag-patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"

/* A changed tag as the storage has it now. */
struct change {
    const char *tag;
    int64_t pushed_ns;
    bool exists;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A tag that cannot be read is left out, as in lists of tags. */
static int read_change(const struct tag_patch *patch, const char *tag, struct change *ret,
                       struct error *err)
{
    struct key link = key_tag_current(patch->name, tag);
    int r = store_may_go_on(patch->store, err);

    *ret = (struct change){.tag = tag};
    if (r < 0)
        return r;
    r = storage_last_use(patch->store->storage, link.text, &ret->pushed_ns, err);
    ret->exists = r == 0;
    return store_is_general_failure(r) ? r : 0;
}

static int read_changes(struct tag_patch *patch, int64_t end_ms, struct change *changes,
                        size_t *ret_count, struct error *err)
{
    char **items = patch->changed.items;
    size_t count = 0, i = 0;
    int r = 0;

    for (; r == 0 && i < patch->changed.count; i++) {
        if (i > 0 && strcmp(items[i], items[i - 1]) == 0)
            continue;
        if (i > 0 && monotonic_ms() >= end_ms)
            break;
        r = read_change(patch, items[i], &changes[count++], err);
    }
    patch->done = i;
    *ret_count = count;
    return r;
}

/* Both are in the order of names. NULL: out of memory. */
static struct tag_table *merge(const struct tag_table *old, const struct change *changes,
                               size_t count)
{
    size_t size = old->names_size, i = 0;
    struct tag_table *table;

    for (size_t k = 0; k < count; k++)
        size += strlen(changes[k].tag) + 1;
    table = tag_table_new(old->count + count, size);
    for (size_t k = 0; table && k <= count; k++) {
        const char *tag = k < count ? changes[k].tag : NULL;
        int order = -1;

        while (i < old->count &&
               (!tag || (order = strcmp(tag_table_name(old, &old->rows[i]), tag)) < 0)) {
            tag_table_add(table, tag_table_name(old, &old->rows[i]), old->rows[i].pushed_ns);
            i++;
        }
        if (i < old->count && order == 0)
            i++;
        if (tag && changes[k].exists)
            tag_table_add(table, tag, changes[k].pushed_ns);
    }
    if (table && tag_table_seal(table) == 0)
        return table;
    tag_table_free(table);
    return NULL;
}

int tag_patch_apply(struct tag_patch *patch, int64_t end_ms, struct tag_table **ret,
                    struct error *err)
{
    CLEANUP_FREE struct change *changes = calloc(patch->changed.count + 1, sizeof(*changes));
    size_t count;
    int r;

    if (!changes)
        return error_set_oom(err);
    if (patch->changed.count > 1)
        qsort(patch->changed.items, patch->changed.count, sizeof(*patch->changed.items),
              compare_names);
    r = read_changes(patch, end_ms, changes, &count, err);
    if (r < 0)
        return r;
    *ret = merge(patch->old, changes, count);
    return *ret ? 0 : error_set_oom(err);
}
