/*
 * Which repositories there are. They lie in one another (a/b in a), so a folder is looked at before
 * what is in it; with '/' before every other character that is the order of the list, and whole
 * folders need not be looked into when they come before the page, or after it.
 */
#include <errno.h>
#include <string.h>

#include "registry/spec/name.h"
#include "registry/core/store-private.h"

struct walk {
    struct store *store;
    const char *last; /* NULL: from the first */
    size_t n;
    bool with_uploads; /* what has nothing but uploads counts too */
    struct store_names names;
    char name[NAME_MAX_SIZE + 2]; /* of the folder looked at */
};

/* Like strcmp(), with '/' before everything else but the end. */
static int compare_names(const char *a, const char *b)
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

/* Whether the folder, and all that is in it, comes before the page. */
static bool is_before_page(const struct walk *walk)
{
    size_t size = strlen(walk->name);

    return walk->last && compare_names(walk->name, walk->last) < 0 &&
           !(strncmp(walk->name, walk->last, size) == 0 && walk->last[size] == '/');
}

static bool is_repository(const struct walk *walk, const struct folder_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i]->text;

        if (strcmp(name, "_layers") == 0 || strcmp(name, "_manifests") == 0 ||
            (walk->with_uploads && strcmp(name, "_uploads") == 0))
            return true;
    }
    return false;
}

/* Adds the folder looked at, if it is a repository of the page. 0 or -ENOMEM. */
static int add_repository(struct walk *walk, const struct folder_names *names)
{
    if (!*walk->name || !is_repository(walk, names) || (walk->last && compare_names(walk->name, walk->last) <= 0) ||
        !name_is_repository(walk->name, strlen(walk->name)))
        return 0;
    walk->names.has_more = walk->names.count == walk->n;
    return walk->names.has_more ? 0 : store_names_add(&walk->names, walk->name);
}

static int look_at(struct walk *walk, struct error *err);

static int look_below(struct walk *walk, const struct folder_names *names, struct error *err)
{
    size_t size = strlen(walk->name), start = size ? size + 1 : 0;
    int r = 0;

    for (size_t i = 0; r == 0 && !walk->names.has_more && i < names->count; i++) {
        size_t name_size = strlen(names->names[i]->text);

        if (names->names[i]->text[0] == '_' || start + name_size > NAME_MAX_SIZE)
            continue;
        if (size)
            walk->name[size] = '/';
        memcpy(walk->name + start, names->names[i]->text, name_size + 1);
        if (!is_before_page(walk))
            r = look_at(walk, err);
        walk->name[size] = '\0';
    }
    return r;
}

/* Looks at the folder walk->name; recursion is bounded by the longest name. */
static int look_at(struct walk *walk, struct error *err)
{
    CLEANUP(folder_names_done) struct folder_names names = {0};
    struct key folder = key_in_repository(walk->name, "");
    int r;

    folder.text[strlen(folder.text) - 1] = '\0'; /* the slash at its end */
    r = walk->store->driver->type->list(walk->store->driver, folder.text, &names, err);
    if (r < 0)
        return r;
    if (add_repository(walk, &names) < 0)
        return error_set_oom(err);
    return look_below(walk, &names, err);
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

int store_list_repositories(struct store *store, const char *last, size_t n, struct store_names *ret,
                            struct error *err)
{
    struct walk walk = {.store = store, .last = last, .n = n};

    if (n == 0) {
        *ret = (struct store_names){0};
        return 0;
    }
    return list(&walk, ret, err);
}

int store_list_folders(struct store *store, struct store_names *ret, struct error *err)
{
    struct walk walk = {.store = store, .n = SIZE_MAX, .with_uploads = true};

    return list(&walk, ret, err);
}
