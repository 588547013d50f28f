/*
 * A tag exists if its link does. A list of all keys below the tags shows the links, between the
 * histories of the tags.
 */
#include "registry/core/tag-names.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "common/random.h"
#include "registry/core/lists.h"
#include "registry/core/store-private.h"
#include "registry/spec/name.h"

enum {
    PLACES = 64,
    NAME_COST = 40,         /* memory for a name besides its characters, about */
    LEAST_FOR_ALL = 1000,   /* for smaller pages, all names are not read */
};

/* The tags that a repository had when its mark was that. */
struct known {
    char *name; /* NULL: free */
    struct store_names tags;
    size_t cost;
    struct storage_version mark; /* zeros: there was none */
    int64_t read_ms, used_ms;
};

struct tag_names {
    pthread_mutex_t mutex; /* protects the rest */
    struct known places[PLACES];
    size_t cost;
};

struct tag_names *tag_names_new(void)
{
    struct tag_names *names = calloc(1, sizeof(*names));

    if (names)
        pthread_mutex_init(&names->mutex, NULL);
    return names;
}

/* --- in memory ------------------------------------------------------------------------------- */

/* With the mutex held, as what follows. */
static void known_drop(struct tag_names *names, struct known *known)
{
    names->cost -= known->cost;
    store_names_done(&known->tags);
    free(known->name);
    *known = (struct known){0};
}

void tag_names_free(struct tag_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < PLACES; i++)
        known_drop(names, &names->places[i]);
    pthread_mutex_destroy(&names->mutex);
    free(names);
}

static struct known *known_find(struct tag_names *names, const char *name)
{
    for (size_t i = 0; i < PLACES; i++)
        if (names->places[i].name && strcmp(names->places[i].name, name) == 0)
            return &names->places[i];
    return NULL;
}

/* The place that nobody has used for the longest time. */
static struct known *known_find_oldest(struct tag_names *names)
{
    struct known *oldest = &names->places[0];

    for (size_t i = 1; i < PLACES; i++)
        if (names->places[i].used_ms < oldest->used_ms)
            oldest = &names->places[i];
    return oldest;
}

/* Like known_find_oldest(), but not a free place; NULL: all are free. */
static struct known *known_find_victim(struct tag_names *names)
{
    struct known *victim = NULL;

    for (size_t i = 0; i < PLACES; i++) {
        struct known *known = &names->places[i];

        if (known->name && (!victim || known->used_ms < victim->used_ms))
            victim = known;
    }
    return victim;
}

static size_t cost_of(const struct store_names *tags)
{
    size_t cost = 0;

    for (size_t i = 0; i < tags->count; i++)
        cost += strlen(tags->items[i]) + NAME_COST;
    return cost;
}

/* Takes ownership of what is in known. */
static void known_add(struct tag_names *names, struct known *known)
{
    struct known *place;

    pthread_mutex_lock(&names->mutex);
    place = known_find(names, known->name);
    if (place)
        known_drop(names, place);
    while (names->cost > 0 && names->cost + known->cost > TAG_NAMES_BYTES)
        known_drop(names, known_find_victim(names));
    place = known_find_oldest(names);
    known_drop(names, place);
    names->cost += known->cost;
    *place = *known;
    pthread_mutex_unlock(&names->mutex);
}

/* The index of the first name after that one. */
static size_t find_after(const struct store_names *tags, const char *last)
{
    size_t low = 0, high = tags->count;

    while (last && low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(tags->items[middle], last) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int copy_page(const struct store_names *tags, const char *last, size_t n,
                     struct store_names *ret)
{
    CLEANUP(store_names_done) struct store_names page = {0};
    size_t first = find_after(tags, last);

    for (size_t i = first; i < tags->count && page.count < n; i++)
        if (store_names_add(&page, tags->items[i]) < 0)
            return -ENOMEM;
    page.has_more = tags->count - first > page.count;
    *ret = page;
    page = (struct store_names){0};
    return 0;
}

/* 0, STORE_NOT_FOUND or -ENOMEM. */
static int known_copy(struct tag_names *names, const char *name,
                      const struct storage_version *mark, const char *last, size_t n,
                      struct store_names *ret)
{
    int64_t now_ms = monotonic_ms();
    struct known *known;
    int r = STORE_NOT_FOUND;

    pthread_mutex_lock(&names->mutex);
    known = known_find(names, name);
    if (known && storage_version_is_same(&known->mark, mark) &&
        now_ms - known->read_ms < TAG_NAMES_AGE_S * 1000) {
        known->used_ms = now_ms;
        r = copy_page(&known->tags, last, n, ret);
    }
    pthread_mutex_unlock(&names->mutex);
    return r;
}

/* --- in the storage -------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the tags whose links are on the page. 0 or -ENOMEM. */
static int add_tags(struct storage_list *page, struct store_names *tags)
{
    for (size_t i = 0; i < page->count; i++) {
        char *key = page->entries[i]->name;
        size_t size = strcspn(key, "/");

        if (strcmp(key + size, "/" KEY_CURRENT) != 0 || !name_is_tag(key, size))
            continue;
        key[size] = '\0';
        if (store_names_add(tags, key) < 0)
            return -ENOMEM;
        key[size] = '/';
    }
    return 0;
}

/* Where the next page begins, after the last key of this one: behind the history of its tag. */
static void set_next(const struct storage_list *page, char ret[KEY_SIZE])
{
    const char *key = page->entries[page->count - 1]->name;
    size_t size = strcspn(key, "/");

    if (key[size] && strcmp(key + size, "/" KEY_CURRENT) >= 0)
        snprintf(ret, KEY_SIZE, "%.*s0", (int)size, key); /* '0' follows '/' */
    else
        snprintf(ret, KEY_SIZE, "%s", key);
}

static int read_tags(struct store *store, const char *name, struct store_names *ret,
                     struct error *err)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    struct key prefix = key_in_repository(name, KEY_TAGS);
    char next[KEY_SIZE] = "";
    bool has_more = true;

    while (has_more) {
        CLEANUP(storage_list_done) struct storage_list page = {0};
        int r = store_may_go_on(store, err);

        if (r == 0)
            r = storage_list_keys(store->storage, prefix.text, *next ? next : NULL,
                                  STORAGE_KEYS_MAX, &page, err);
        if (r < 0)
            return r;
        if (add_tags(&page, &tags) < 0)
            return error_set_oom(err);
        has_more = page.has_more && page.count > 0;
        if (has_more)
            set_next(&page, next);
    }
    if (tags.count > 1)
        qsort(tags.items, tags.count, sizeof(*tags.items), compare_names);
    *ret = tags;
    tags = (struct store_names){0};
    return 0;
}

static int read_mark(struct store *store, const char *name, struct storage_version *ret,
                     struct error *err)
{
    struct key key = key_in_repository(name, KEY_TAG_MARK);
    struct storage_object object = {0};
    int r = storage_head(store->storage, key.text, STORAGE_MAY_WAIT, &object, err);

    *ret = object.version;
    return r < 0 ? r : 0;
}

/* Reads all tags, copies the page, and keeps the tags. */
static int read_and_keep(struct store *store, const char *name, const struct storage_version *mark,
                         const char *last, size_t n, struct store_names *ret, struct error *err)
{
    struct known known = {.mark = *mark, .read_ms = monotonic_ms()};
    int r = read_tags(store, name, &known.tags, err);

    if (r < 0)
        return r;
    r = copy_page(&known.tags, last, n, ret);
    known.cost = cost_of(&known.tags);
    known.used_ms = known.read_ms;
    if (known.cost > 0 && known.cost <= TAG_NAMES_BYTES)
        known.name = strdup(name);
    if (known.name)
        known_add(store->tag_names, &known);
    else
        store_names_done(&known.tags);
    return r < 0 ? error_set_oom(err) : 0;
}

int tag_names_list(struct store *store, const char *name, const char *last, size_t n,
                   struct store_names *ret, struct error *err)
{
    struct storage_version mark;
    /* First: a list that is read before the mark could lack what the mark stands for. */
    int r = read_mark(store, name, &mark, err);

    if (r < 0)
        return r;
    r = known_copy(store->tag_names, name, &mark, last, n, ret);
    if (r < 0)
        return error_set_oom(err);
    if (r == 0 || n < LEAST_FOR_ALL)
        return r;
    return read_and_keep(store, name, &mark, last, n, ret, err);
}

int tag_names_mark(struct store *store, const char *name, struct error *err)
{
    struct key key = key_in_repository(name, KEY_TAG_MARK);
    char id[RANDOM_UUID_SIZE];

    if (!storage_is_remote(store->storage))
        return 0;
    random_uuid(id);
    return storage_note(store->storage, key.text, id, strlen(id), err);
}
