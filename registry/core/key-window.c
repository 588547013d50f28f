/*
 * The storage orders by key, walks order by name: "a-b/" comes before "a/" in a page, but after it
 * in a walk. So a page for "a/" begins at "a", before such neighbours. If there are too many of
 * them, another page begins at "a/".
 */
#include "registry/core/key-window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPS_MAX = 16 };

void key_window_done(struct key_window *window)
{
    storage_list_done(&window->page);
    window->is_read = false;
}

/* The last key that the page knows; NULL: it knows all keys to the end. */
static const char *last_of(const struct key_window *window)
{
    const struct storage_list *page = &window->page;

    return page->has_more && page->count > 0 ? page->entries[page->count - 1]->name : NULL;
}

/* Whether the page has the first key after that one. */
static bool knows_after(const struct key_window *window, const char *key)
{
    const char *last = last_of(window);

    return window->is_read && strcmp(window->after, key) <= 0 && (!last || strcmp(key, last) < 0);
}

static bool knows(const struct key_window *window, const char *key)
{
    const char *last = last_of(window);

    return window->is_read && strcmp(window->after, key) < 0 && (!last || strcmp(key, last) <= 0);
}

/* Reads the page after the first size bytes of a text. */
static int read_page(struct key_window *window, const char *text, size_t size, struct error *err)
{
    struct storage_list page;
    int r;

    if (size >= sizeof(window->after))
        size = sizeof(window->after) - 1;
    memmove(window->after, text, size);
    window->after[size] = '\0';
    key_window_done(window);
    r = storage_list_keys(window->storage, window->root, size > 0 ? window->after : NULL,
                          STORAGE_KEYS_MAX, &page, err);
    if (r < 0)
        return r;
    window->page = page;
    window->is_read = true;
    return 0;
}

/* Has the page know the first key of a directory. */
static int read_directory(struct key_window *window, const char *directory, struct error *err)
{
    size_t size = strlen(directory);
    int r = read_page(window, directory, size > 0 ? size - 1 : 0, err);

    return r == 0 && !knows_after(window, directory) ? read_page(window, directory, size, err) : r;
}

/* The index of the first key of the page after that one. */
static size_t find_after(const struct key_window *window, const char *key)
{
    size_t low = 0, high = window->page.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(window->page.entries[middle]->name, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- directories ----------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct storage_entry *const *one = a, *const *two = b;

    return strcmp((*one)->name, (*two)->name);
}

/* The names directly below a directory that the page has whole. 0 or -ENOMEM. */
static int add_names(const struct key_window *window, const char *directory,
                     struct storage_list *list)
{
    size_t size = strlen(directory);

    for (size_t i = find_after(window, directory); i < window->page.count; i++) {
        const char *key = window->page.entries[i]->name, *name = key + size;
        const struct storage_entry *before = list->count ? list->entries[list->count - 1] : NULL;
        size_t name_size;
        int r;

        if (strncmp(key, directory, size) != 0)
            break;
        name_size = strcspn(name, "/");
        if (before && strncmp(before->name, name, name_size) == 0 && !before->name[name_size])
            continue;
        r = storage_list_add(list, name, name_size, name[name_size] == '/');
        if (r < 0)
            return r;
    }
    if (list->count > 1)
        qsort(list->entries, list->count, sizeof(*list->entries), compare_names);
    return 0;
}

/* Removes the names up to that one. */
static void drop_names(struct storage_list *list, const char *after)
{
    size_t count = 0;

    while (after && count < list->count && strcmp(list->entries[count]->name, after) <= 0)
        free(list->entries[count++]);
    list->count -= count;
    if (count > 0)
        memmove(list->entries, list->entries + count, list->count * sizeof(*list->entries));
}

/* Whether the page was read for this directory. */
static bool begins_at(const struct key_window *window, const char *directory)
{
    size_t size = strlen(window->after);

    return window->is_read && strncmp(window->after, directory, size) == 0 &&
           size + 1 >= strlen(directory);
}

/* Whether the page has all keys of a directory. */
static bool answers(const struct key_window *window, const char *directory)
{
    const char *last = last_of(window);

    return knows_after(window, directory) &&
           (!last || strncmp(last, directory, strlen(directory)) != 0);
}

/*
 * Whether a page is worth a request. If directories have more keys than a page, each page that is
 * read for one is read in vain.
 */
static bool is_worth_reading(struct key_window *window)
{
    if (window->skips == 0)
        return true;
    window->skips--;
    return false;
}

static void note_use(struct key_window *window, bool is_useful)
{
    window->useless = is_useful ? 0 : window->useless + 1;
    window->skips = 0;
    if (!is_useful)
        window->skips = window->useless < 5 ? (1u << window->useless) - 1 : SKIPS_MAX;
}

static int list_directly(const struct key_window *window, const char *directory, const char *after,
                         size_t limit, struct storage_list *ret, struct error *err)
{
    char prefix[2 * KEY_SIZE];

    snprintf(prefix, sizeof(prefix), "%s%s", window->root, directory);
    return storage_list(window->storage, prefix, after, limit, ret, err);
}

int key_window_list(struct key_window *window, const char *directory, const char *after,
                    size_t limit, struct storage_list *ret, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    bool is_answered = answers(window, directory);
    int r;

    if (!is_answered && !after && !begins_at(window, directory) && is_worth_reading(window)) {
        r = read_directory(window, directory, err);
        if (r < 0)
            return r;
        is_answered = answers(window, directory);
        note_use(window, is_answered);
    }
    if (!is_answered)
        return list_directly(window, directory, after, limit, ret, err);
    if (add_names(window, directory, &list) < 0)
        return error_set_oom(err);
    drop_names(&list, after);
    *ret = list;
    list = (struct storage_list){0};
    return 0;
}

/* --- directories ahead ----------------------------------------------------------------------- */

size_t key_window_count_ahead(const struct key_window *window, const char *directory)
{
    if (answers(window, directory))
        return 0;
    return window->skips < KEY_WINDOW_AHEAD ? window->skips : KEY_WINDOW_AHEAD;
}

struct ahead {
    const struct key_window *window;
    const char *const *directories;
    size_t limit;
    struct storage_list *lists;
};

static int list_one_ahead(void *object, size_t index, struct error *err)
{
    const struct ahead *ahead = object;

    return list_directly(ahead->window, ahead->directories[index], NULL, ahead->limit,
                         &ahead->lists[index], err);
}

int key_window_list_ahead(struct key_window *window, struct parallel *parallel,
                          const char *const *directories, size_t count, size_t limit,
                          struct storage_list *ret_lists, struct error *err)
{
    struct ahead ahead = {window, directories, limit, ret_lists};

    for (size_t i = 0; i < count; i++)
        ret_lists[i] = (struct storage_list){0};
    window->skips -= count < window->skips ? (unsigned)count : window->skips;
    return parallel_for(parallel, count, KEY_WINDOW_AHEAD, list_one_ahead, &ahead, err);
}

/* --- keys ------------------------------------------------------------------------------------ */

int key_window_has(struct key_window *window, const char *key, bool *ret, struct error *err)
{
    size_t size = strcspn(key, "/"), found;
    int r = knows(window, key) ? 0 : read_page(window, key, size, err);

    if (r == 0 && !knows(window, key)) /* neighbours such as "a-b/" fill the page */
        r = read_page(window, key, (size_t)(strrchr(key, '/') + 1 - key), err);
    if (r < 0)
        return r;
    found = find_after(window, key);
    *ret = found > 0 && strcmp(window->page.entries[found - 1]->name, key) == 0;
    return 0;
}
