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
enum { PART = 990, DIRECTORY_SIZE = NAME_MAX_SIZE + 3 };

struct walk {
    struct store *store;
    struct key_window *window;  /* NULL unless the storage is remote */
    struct storage_list *ahead; /* the first part of walk->name, if it was read ahead, or NULL */
    const char *last;           /* NULL: from the first */
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

/* The first parts of some entries of a list, which were read beside each other. */
struct ahead {
    struct storage_list parts[KEY_WINDOW_AHEAD];
    size_t entries[KEY_WINDOW_AHEAD];
    size_t count, next;
};

static void ahead_done(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        storage_list_done(&ahead->parts[i]);
    *ahead = (struct ahead){0};
}

/* NULL if it was not read. */
static struct storage_list *ahead_take(struct ahead *ahead, size_t entry)
{
    if (ahead->next == ahead->count || ahead->entries[ahead->next] != entry)
        return NULL;
    return &ahead->parts[ahead->next++];
}

/*
 * Has walk->name, of that size, name what is below it. Returns whether it is to be visited. In any
 * case, leave_below() follows.
 */
static bool enter_below(struct walk *walk, size_t size, const char *below)
{
    size_t start = size ? size + 1 : 0, name_size = strlen(below);

    if (below[0] == '_' || start + name_size > NAME_MAX_SIZE)
        return false;
    if (size)
        walk->name[size] = '/';
    memcpy(walk->name + start, below, name_size + 1);
    return !is_before_page(walk);
}

static void leave_below(struct walk *walk, size_t size)
{
    walk->name[size] = '\0';
}

static int look_ahead(struct walk *walk, const struct storage_list *list, size_t first,
                      struct ahead *ahead, struct error *err);

static int look_below(struct walk *walk, const struct storage_list *list, struct error *err)
{
    CLEANUP(ahead_done) struct ahead ahead = {0};
    size_t size = strlen(walk->name);
    int r = 0;

    for (size_t i = 0; r == 0 && !walk->names.has_more && i < list->count; i++) {
        if (walk->window && ahead.next == ahead.count)
            r = look_ahead(walk, list, i, &ahead, err);
        if (r == 0 && enter_below(walk, size, list->entries[i]->name)) {
            walk->ahead = ahead_take(&ahead, i);
            r = look_at(walk, err);
        }
        leave_below(walk, size);
    }
    return r;
}

/* --- on a remote storage --------------------------------------------------------------------- */

static void format_directory(const struct walk *walk, char ret[DIRECTORY_SIZE])
{
    snprintf(ret, DIRECTORY_SIZE, "%s%s", walk->name, *walk->name ? "/" : "");
}

/* The names directly below walk->name after a name, at least PART if there are so many. */
static int read_part(struct walk *walk, const char *after, struct storage_list *ret,
                     struct error *err)
{
    char directory[DIRECTORY_SIZE];

    format_directory(walk, directory);
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

/* The first part of walk->name, which may have been read ahead. */
static int read_first_part(struct walk *walk, struct storage_list *ahead, struct storage_list *ret,
                           struct error *err)
{
    if (!ahead)
        return read_part(walk, NULL, ret, err);
    *ret = *ahead;
    *ahead = (struct storage_list){0};
    return 0;
}

/* Like look_at(), part by part. */
static int look_at_parts(struct walk *walk, struct error *err)
{
    struct storage_list *ahead = steal_ptr(&walk->ahead);
    char after[NAME_MAX_SIZE + 1];
    bool is_begun = find_beginning(walk, after), has_more = true, is_first = !is_begun;
    int r = is_begun ? look_at_one(walk, after, err) : 0;

    while (r == 0 && has_more && !walk->names.has_more) {
        CLEANUP(storage_list_done) struct storage_list part = {0};

        r = is_first ? read_first_part(walk, ahead, &part, err)
                     : read_part(walk, after, &part, err);
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

/* How many directories from walk->name on are listed together: not many more than the page needs.
 */
static size_t count_ahead(const struct walk *walk)
{
    char directory[DIRECTORY_SIZE];
    size_t most, wanted = walk->n - walk->names.count;

    format_directory(walk, directory);
    most = key_window_count_ahead(walk->window, directory);
    return most <= wanted ? most : wanted + 1;
}

/* Lists entries from the first one on beside each other, if each of them needs a request anyway. */
static int look_ahead(struct walk *walk, const struct storage_list *list, size_t first,
                      struct ahead *ahead, struct error *err)
{
    char directories[KEY_WINDOW_AHEAD][DIRECTORY_SIZE], beginning[NAME_MAX_SIZE + 1];
    const char *pointers[KEY_WINDOW_AHEAD];
    size_t size = strlen(walk->name), count = 0, most = 1;

    ahead_done(ahead);
    for (size_t i = first; i < list->count && count < most; i++) {
        if (enter_below(walk, size, list->entries[i]->name) && !find_beginning(walk, beginning)) {
            most = count == 0 ? count_ahead(walk) : most;
            format_directory(walk, directories[count]);
            pointers[count] = directories[count];
            ahead->entries[count++] = i;
        }
        leave_below(walk, size);
    }
    if (count < 2 || most < 2)
        return 0;
    ahead->count = count;
    return key_window_list_ahead(walk->window, &walk->store->lists, pointers, count, PART,
                                 ahead->parts, err);
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
    CLEANUP(key_window_done)
    struct key_window window = key_window_of(walk->store->storage, KEY_REPOSITORIES "/");
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
