/*
 * The lists of names and digests that the store returns.
 */
#include "registry/core/lists.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/core/store-private.h"

int store_grow(void **items, size_t count, size_t item_size)
{
    void *grown;

    if ((count & (count - 1)) != 0) /* full at each power of two */
        return 0;
    grown = reallocarray(*items, count ? count * 2 : 1, item_size);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    return 0;
}

int store_names_add(struct store_names *names, const char *name)
{
    void *items = names->items;
    char *copy;
    int r = store_grow(&items, names->count, sizeof(*names->items));

    names->items = items;
    if (r < 0)
        return r;
    copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    names->items[names->count++] = copy;
    return 0;
}

void store_names_skip(struct store_names *names, const struct error *err)
{
    if (names->unreadable++ == 0)
        names->unreadable_why = strdup(err->text);
}

void store_names_done(struct store_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    free(names->unreadable_why);
    *names = (struct store_names){0};
}

int store_digests_add(struct store_digests *digests, const struct digest *digest)
{
    void *items = digests->items;
    int r = store_grow(&items, digests->count, sizeof(*digests->items));

    digests->items = items;
    if (r == 0)
        digests->items[digests->count++] = *digest;
    return r;
}

static int compare_digests(const void *a, const void *b)
{
    const struct digest *left = a, *right = b;

    if (left->algorithm != right->algorithm)
        return strcmp(digest_algorithm_name(left->algorithm),
                      digest_algorithm_name(right->algorithm));
    return strcmp(left->hex, right->hex);
}

void store_digests_sort(struct store_digests *digests)
{
    size_t kept = 0;

    if (digests->count < 2)
        return;
    qsort(digests->items, digests->count, sizeof(*digests->items), compare_digests);
    for (size_t i = 1; i < digests->count; i++) {
        if (!digest_is_equal(&digests->items[i], &digests->items[kept]))
            digests->items[++kept] = digests->items[i];
    }
    digests->count = kept + 1;
}

bool store_digests_has(const struct store_digests *digests, const struct digest *digest)
{
    return digests->count && bsearch(digest, digests->items, digests->count,
                                     sizeof(*digests->items), compare_digests);
}

void store_digests_done(struct store_digests *digests)
{
    free(digests->items);
    *digests = (struct store_digests){0};
}

int store_list_digests(struct store *store, const struct key *prefix,
                       enum digest_algorithm algorithm, struct store_digests *ret,
                       struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = storage_list(store->storage, prefix->text, NULL, SIZE_MAX, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct digest digest;

        if (!key_parse_hex(algorithm, list.entries[i]->name, &digest))
            continue;
        if (store_digests_add(&digests, &digest) < 0)
            return error_set_oom(err);
    }
    *ret = digests;
    digests = (struct store_digests){0};
    return 0;
}

int store_for_each_prefix(struct store *store, const char *root, store_prefix_function *each,
                          void *object, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(store->storage, root, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        struct key prefix;

        snprintf(prefix.text, sizeof(prefix.text), "%s%s/", root, list.entries[i]->name);
        r = each(object, &prefix, err);
    }
    return r;
}
