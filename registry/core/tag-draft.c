#include "registry/core/tag-draft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/lists.h"
#include "registry/core/tag-index.h"

enum { BETWEEN_CLOCKS = 32 };

struct tag_draft {
    struct tag_draft_sources sources;
    struct storage_list list;
    size_t next;     /* in the list */
    size_t next_old; /* in sources.old */
    struct tag_table *table;
};

void tag_draft_free(struct tag_draft *draft)
{
    if (!draft)
        return;
    storage_list_done(&draft->list);
    tag_table_free(draft->table);
    free(draft);
}

static void tag_draft_freep(struct tag_draft **draft)
{
    tag_draft_free(*draft);
}

/* A list without tags may be of a repository that does not exist. */
static int check_exists(const struct tag_draft_sources *sources, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};

    return store_list_tags(sources->store, sources->name, NULL, 1, &names, err);
}

int tag_draft_begin(const struct tag_draft_sources *sources, struct tag_draft **ret,
                    struct error *err)
{
    CLEANUP(tag_draft_freep) struct tag_draft *draft = calloc(1, sizeof(*draft));
    size_t size = 0;
    int r;

    if (!draft)
        return error_set_oom(err);
    draft->sources = *sources;
    r = store_list_tag_entries(sources->store, sources->name, &draft->list, err);
    if (r == 0 && draft->list.count == 0)
        r = check_exists(sources, err);
    if (r != 0)
        return r;
    if (draft->list.count > TAG_INDEX_MAX)
        return error_set(err, E2BIG, "the repository %s has too many tags to sort them: %zu",
                         sources->name, draft->list.count);
    for (size_t i = 0; i < draft->list.count; i++)
        size += strlen(draft->list.entries[i]->name) + 1;
    draft->table = tag_table_new(draft->list.count, size);
    if (!draft->table)
        return error_set_oom(err);
    *ret = steal_ptr(&draft);
    return 0;
}

/* Both tables are in the order of names. NULL: the time must be read. */
static const struct tag_row *find_old(struct tag_draft *draft, const char *name)
{
    const struct tag_draft_sources *sources = &draft->sources;
    const struct tag_table *old = sources->old;
    int order = -1;

    while (old && draft->next_old < old->count &&
           (order = strcmp(tag_table_name(old, &old->rows[draft->next_old]), name)) < 0)
        draft->next_old++;
    if (order != 0 ||
        (draft->next >= sources->check_first &&
         draft->next - sources->check_first < sources->check_count))
        return NULL;
    return &old->rows[draft->next_old];
}

/* A tag that cannot be read is left out, as in lists of tags. */
static int read_tag(struct tag_draft *draft, const char *name, struct error *err)
{
    struct store *store = draft->sources.store;
    const struct tag_row *old = find_old(draft, name);
    struct key link;
    int64_t pushed_ns = 0;
    int r;

    if (old) {
        tag_table_add(draft->table, name, old->pushed_ns);
        return 0;
    }
    r = store_may_go_on(store, err);
    if (r < 0 || !name_is_tag(name, strlen(name)))
        return r;
    link = key_tag_current(draft->sources.name, name);
    r = storage_last_use(store->storage, link.text, &pushed_ns, err);
    if (r == 0)
        tag_table_add(draft->table, name, pushed_ns);
    return store_is_general_failure(r) ? r : 0;
}

int tag_draft_read(struct tag_draft *draft, int64_t end_ms, struct error *err)
{
    while (draft->next < draft->list.count) {
        int r = read_tag(draft, draft->list.entries[draft->next]->name, err);

        if (r < 0)
            return r;
        draft->next++;
        if (draft->next % BETWEEN_CLOCKS == 0 && monotonic_ms() >= end_ms)
            return STORE_WOULD_WAIT;
    }
    return 0;
}

const struct tag_table *tag_draft_get(const struct tag_draft *draft)
{
    return draft->table;
}

struct tag_table *tag_draft_take(struct tag_draft *draft)
{
    return tag_table_seal(draft->table) == 0 ? steal_ptr(&draft->table) : NULL;
}

size_t tag_draft_count(const struct tag_draft *draft)
{
    return draft->list.count;
}
