/*
 * Lists the repositories. They are nested (a/b is in a), so a prefix is visited before what is
 * below it. The list is sorted with '/' before every other character, which is the order of the
 * visits. Prefixes entirely before or after the page are not read.
 */
#include <errno.h>
#include <string.h>

#include "registry/spec/name.h"
#include "registry/core/lists.h"
#include "registry/core/store-private.h"

struct walk {
    struct store *store;
    const char *last; /* NULL: from the first */
    size_t n;
    const struct store_filter *filter; /* NULL: all */
    enum store_repositories kind;
    bool skips_unreadable;
    struct store_names names;
    char name[NAME_MAX_SIZE + 2]; /* the prefix that is visited */
};

int store_compare_repositories(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    if (*a == *b)
        return 0;
    if (*a == '/' || *b == '/')
        return *a == '/' ? (*b ? -1 : 1) : (*a ? 1 : -1);
    return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

size_t store_find_repository(const struct store_names *names, const char *name)
{
    size_t first = 0, end = names->count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;
        int order = store_compare_repositories(names->items[middle], name);

        if (order == 0)
            return middle;
        if (order < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return names->count;
}

/* Whether the name, and everything below it, comes before the page. */
static bool is_before_page(const struct walk *walk)
{
    size_t size = strlen(walk->name);

    return walk->last && store_compare_repositories(walk->name, walk->last) < 0 &&
           !(strncmp(walk->name, walk->last, size) == 0 && walk->last[size] == '/');
}

static bool is_repository(const struct walk *walk, const struct storage_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *name = list->entries[i]->name;

        if (strcmp(name, "_layers") == 0 || strcmp(name, "_manifests") == 0 ||
            (walk->kind == STORE_WITH_UPLOADS && strcmp(name, "_uploads") == 0))
            return true;
    }
    return false;
}

/* Adds walk->name to the page, if it is a repository and belongs there. 0 or -ENOMEM. */
static int add_repository(struct walk *walk, const struct storage_list *list)
{
    if (!*walk->name || !is_repository(walk, list) ||
        (walk->last && store_compare_repositories(walk->name, walk->last) <= 0) ||
        !name_is_repository(walk->name, strlen(walk->name)))
        return 0;
    if (walk->filter && !walk->filter->is_shown(walk->filter->object, walk->name))
        return 0;
    walk->names.has_more = walk->names.count == walk->n;
    return walk->names.has_more ? 0 : store_names_add(&walk->names, walk->name);
}

static int look_at(struct walk *walk, struct error *err);

static int look_below(struct walk *walk, const struct storage_list *list, struct error *err)
{
    size_t size = strlen(walk->name), start = size ? size + 1 : 0;
    int r = 0;

    for (size_t i = 0; r == 0 && !walk->names.has_more && i < list->count; i++) {
        const char *below = list->entries[i]->name;
        size_t name_size = strlen(below);

        if (below[0] == '_' || start + name_size > NAME_MAX_SIZE)
            continue;
        if (size)
            walk->name[size] = '/';
        memcpy(walk->name + start, below, name_size + 1);
        if (!is_before_page(walk))
            r = look_at(walk, err);
        walk->name[size] = '\0';
    }
    return r;
}

/* Visits walk->name and what is below it. The longest name bounds the recursion. */
static int look_at(struct walk *walk, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct key prefix = {KEY_REPOSITORIES "/"};
    int r = store_may_go_on(walk->store, err);

    if (r < 0)
        return r;
    if (*walk->name)
        prefix = key_in_repository(walk->name, "");
    r = storage_list(walk->store->storage, prefix.text, NULL, SIZE_MAX, &list, err);
    if (r < 0 && *walk->name && walk->skips_unreadable && r != -ENOMEM) {
        store_names_skip(&walk->names, err);
        return 0;
    }
    if (r < 0)
        return r;
    if (add_repository(walk, &list) < 0)
        return error_set_oom(err);
    return look_below(walk, &list, err);
}

static int list(struct walk *walk, struct store_names *ret, struct error *err)
{
    int r = look_at(walk, err);

    if (r < 0)
        store_names_done(&walk->names);
    else
        *ret = walk->names;
    return r;
}

int store_list_repositories(struct store *store, const char *last, size_t n,
                            const struct store_filter *filter, struct store_names *ret,
                            struct error *err)
{
    struct walk walk = {
        .store = store, .last = last, .n = n, .filter = filter, .skips_unreadable = true};

    if (n == 0) {
        *ret = (struct store_names){0};
        return 0;
    }
    return list(&walk, ret, err);
}

int store_list_all(struct store *store, enum store_repositories kind, struct store_names *ret,
                   struct error *err)
{
    struct walk walk = {.store = store, .n = SIZE_MAX, .kind = kind};

    return list(&walk, ret, err);
}
