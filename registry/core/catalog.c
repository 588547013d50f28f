/*
 * Lists the repositories. They are nested (a/b is in a), so a prefix is visited before what is
 * below it. The list is sorted with '/' before every other character, which is the order of the
 * visits. Prefixes entirely before or after the page are not read.
 *
 * On a remote storage each list is a request. There, directories are read in parts, and small ones
 * together (registry/core/key-window.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/spec/name.h"
#include "registry/core/key-window.h"
#include "registry/core/lists.h"
#include "registry/core/store-private.h"

/* Names of a directory that are read at once; a request of the backend has some more. */
enum { PART = 990 };

struct walk {
    struct store *store;
    struct key_window *window; /* NULL unless the storage is remote */
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

/* --- on a remote storage --------------------------------------------------------------------- */

/* The names directly below walk->name after a name, at least PART if there are so many. */
static int read_part(struct walk *walk, const char *after, struct storage_list *ret,
                     struct error *err)
{
    char directory[NAME_MAX_SIZE + 3];

    snprintf(directory, sizeof(directory), "%s%s", walk->name, *walk->name ? "/" : "");
    return key_window_list(walk->window, directory, after, PART, ret, err);
}

/* If the page begins below walk->name, copies the name there that leads to its beginning. */
static bool find_beginning(const struct walk *walk, char *ret)
{
    size_t size = strlen(walk->name);
    const char *below = walk->last;

    if (!below || (size > 0 && (strncmp(below, walk->name, size) != 0 || below[size] != '/')))
        return false;
    below += size > 0 ? size + 1 : 0;
    size = strcspn(below, "/");
    memcpy(ret, below, size);
    ret[size] = '\0';
    return size > 0;
}

/* Visits one name below walk->name. */
static int look_at_one(struct walk *walk, const char *name, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};

    if (storage_list_add(&list, name, strlen(name), true) < 0)
        return error_set_oom(err);
    return look_below(walk, &list, err);
}

/* Names with '_' come after those with digits, so they may be in a later part. */
static int add_if_repository(struct walk *walk, const struct storage_list *part, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list rest = {0};
    int r = 0;

    if (part->has_more && part->count > 0 &&
        strcmp(part->entries[part->count - 1]->name, "_z") < 0) {
        r = read_part(walk, "_", &rest, err);
        part = &rest;
    }
    return r == 0 && add_repository(walk, part) < 0 ? error_set_oom(err) : r;
}

/* Like look_at(), part by part. */
static int look_at_parts(struct walk *walk, struct error *err)
{
    char after[NAME_MAX_SIZE + 1];
    bool is_begun = find_beginning(walk, after), has_more = true, is_first = !is_begun;
    int r = is_begun ? look_at_one(walk, after, err) : 0;

    while (r == 0 && has_more && !walk->names.has_more) {
        CLEANUP(storage_list_done) struct storage_list part = {0};

        r = read_part(walk, is_first ? NULL : after, &part, err);
        if (r == 0 && is_first)
            r = add_if_repository(walk, &part, err);
        if (r == 0)
            r = look_below(walk, &part, err);
        has_more = part.has_more && part.count > 0;
        if (has_more)
            snprintf(after, sizeof(after), "%s", part.entries[part.count - 1]->name);
        is_first = false;
    }
    return r;
}

/* --- a walk ---------------------------------------------------------------------------------- */

static int look_at_whole(struct walk *walk, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct key prefix = {KEY_REPOSITORIES "/"};
    int r;

    if (*walk->name)
        prefix = key_in_repository(walk->name, "");
    r = storage_list(walk->store->storage, prefix.text, NULL, SIZE_MAX, &list, err);
    if (r < 0 && *walk->name && walk->skips_unreadable && !store_is_general_failure(r)) {
        store_names_skip(&walk->names, err);
        return 0;
    }
    if (r < 0)
        return r;
    if (add_repository(walk, &list) < 0)
        return error_set_oom(err);
    return look_below(walk, &list, err);
}

/* Visits walk->name and what is below it. The longest name bounds the recursion. */
static int look_at(struct walk *walk, struct error *err)
{
    int r = store_may_go_on(walk->store, err);

    if (r < 0)
        return r;
    return walk->window ? look_at_parts(walk, err) : look_at_whole(walk, err);
}

static int list(struct walk *walk, struct store_names *ret, struct error *err)
{
    CLEANUP(key_window_done) struct key_window window =
        key_window_of(walk->store->storage, KEY_REPOSITORIES "/");
    int r;

    if (storage_is_remote(walk->store->storage))
        walk->window = &window;
    r = look_at(walk, err);
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
