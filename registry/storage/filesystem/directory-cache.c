/*
 * A repository may have a hundred thousand tags, and a client asks for them in pages of a hundred.
 * Reading and sorting the directory for each page would take a hundred times as long as the page
 * itself. There are few directories of this size, so the cache is a short list of them, the most
 * recently used first. The names of a directory are in one block of memory with a count of
 * references. Before each name is a 'd' for a directory or an 'f' for a file.
 */
#include "registry/storage/filesystem/directory-cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/filesystem/stamp.h"

enum {
    MOST_DIRECTORIES = 8,
    FEWEST_NAMES = 256,   /* a smaller directory is not cached */
    MOST_BYTES = 8 << 20, /* of all directories */
};

struct directory {
    unsigned references; /* atomic; the cache holds one */
    struct stat stamp;
    char *key; /* this and the next two are in the same block of memory */
    uint32_t *offsets;
    char *text;
    size_t count, size;
};

struct directory_cache {
    pthread_mutex_t mutex;
    size_t used;                                     /* bytes */
    struct directory *directories[MOST_DIRECTORIES]; /* by last use; NULL after the last */
};

struct directory_cache *directory_cache_new(void)
{
    struct directory_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

static void directory_unref(struct directory *directory)
{
    if (directory && __atomic_sub_fetch(&directory->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(directory);
}

static void directory_unrefp(struct directory **directory)
{
    directory_unref(*directory);
}

void directory_cache_free(struct directory_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < MOST_DIRECTORIES; i++)
        directory_unref(cache->directories[i]);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* --- the list; the mutex is held --------------------------------------------------------- */

/* The index of the directory, or of the first free slot, or MOST_DIRECTORIES. */
static int find(const struct directory_cache *cache, const char *key)
{
    int i = 0;

    while (i < MOST_DIRECTORIES && cache->directories[i] &&
           strcmp(cache->directories[i]->key, key) != 0)
        i++;
    return i;
}

/*
 * Moves the directories before index i by one, which overwrites index i, and puts this one first.
 */
static void put_first(struct directory_cache *cache, int i, struct directory *directory)
{
    memmove(&cache->directories[1], &cache->directories[0],
            (size_t)i * sizeof(cache->directories[0]));
    cache->directories[0] = directory;
}

/* Removes the directory at index i from the list. */
static void forget(struct directory_cache *cache, int i)
{
    cache->used -= cache->directories[i]->size;
    directory_unref(cache->directories[i]);
    memmove(&cache->directories[i], &cache->directories[i + 1],
            (size_t)(MOST_DIRECTORIES - 1 - i) * sizeof(cache->directories[0]));
    cache->directories[MOST_DIRECTORIES - 1] = NULL;
}

static void add(struct directory_cache *cache, struct directory *directory)
{
    int i = find(cache, directory->key);

    if (i < MOST_DIRECTORIES && cache->directories[i])
        forget(cache, i);
    for (i = MOST_DIRECTORIES - 1; i >= 0; i--)
        if (cache->directories[i] &&
            (i == MOST_DIRECTORIES - 1 || cache->used + directory->size > MOST_BYTES))
            forget(cache, i);
    put_first(cache, MOST_DIRECTORIES - 1, directory);
    cache->used += directory->size;
}

/* --- a page ------------------------------------------------------------------------------ */

/* The index of the first name that is greater than after. */
static size_t find_after(const struct directory *directory, const char *after)
{
    size_t low = 0, high = after ? directory->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(directory->text + directory->offsets[middle], after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int copy_page(const struct directory *directory, const char *after, size_t limit,
                     struct storage_list *ret)
{
    CLEANUP(storage_list_done) struct storage_list page = {0};
    size_t first = find_after(directory, after), count = directory->count - first;
    int r = 0;

    page.has_more = count > limit;
    if (count > limit)
        count = limit;
    for (size_t i = 0; r == 0 && i < count; i++) {
        const char *name = directory->text + directory->offsets[first + i];

        r = storage_list_add(&page, name, strlen(name), name[-1] == 'd');
    }
    if (r < 0)
        return r;
    *ret = page;
    page = (struct storage_list){0};
    return 0;
}

int directory_cache_get(struct directory_cache *cache, const char *key, const struct stat *stamp,
                        const char *after, size_t limit, struct storage_list *ret)
{
    CLEANUP(directory_unrefp) struct directory *directory = NULL;
    int i;

    pthread_mutex_lock(&cache->mutex);
    i = find(cache, key);
    if (i < MOST_DIRECTORIES && cache->directories[i] &&
        stamp_is_same(&cache->directories[i]->stamp, stamp)) {
        directory = cache->directories[i];
        __atomic_add_fetch(&directory->references, 1, __ATOMIC_RELAXED);
        put_first(cache, i, directory);
    }
    pthread_mutex_unlock(&cache->mutex);
    return directory ? copy_page(directory, after, limit, ret) : -ENOENT;
}

/* --- keeping ----------------------------------------------------------------------------- */

static struct directory *pack(const char *key, const struct stat *stamp,
                              const struct storage_list *names)
{
    size_t text_size = 0, key_size = strlen(key) + 1,
           offsets_size = names->count * sizeof(uint32_t), size;
    struct directory *directory;

    for (size_t i = 0; i < names->count; i++)
        text_size += 1 + strlen(names->entries[i]->name) + 1;
    size = sizeof(*directory) + offsets_size + text_size + key_size;
    directory = size <= MOST_BYTES ? malloc(size) : NULL;
    if (!directory)
        return NULL;
    *directory =
        (struct directory){.references = 1, .stamp = *stamp, .count = names->count, .size = size};
    directory->offsets = (uint32_t *)(directory + 1);
    directory->text = (char *)directory->offsets + offsets_size;
    directory->key = directory->text + text_size;
    memcpy(directory->key, key, key_size);
    text_size = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen(names->entries[i]->name) + 1;

        directory->text[text_size++] = names->entries[i]->is_prefix ? 'd' : 'f';
        directory->offsets[i] = (uint32_t)text_size;
        memcpy(directory->text + text_size, names->entries[i]->name, length);
        text_size += length;
    }
    return directory;
}

void directory_cache_put(struct directory_cache *cache, const char *key, const struct stat *stamp,
                         const struct storage_list *names)
{
    struct directory *directory;

    if (names->count < FEWEST_NAMES || !stamp_is_settled(stamp))
        return;
    directory = pack(key, stamp, names);
    if (!directory)
        return;
    pthread_mutex_lock(&cache->mutex);
    add(cache, directory);
    pthread_mutex_unlock(&cache->mutex);
}

void storage_list_cut(struct storage_list *list, const char *after, size_t limit)
{
    size_t first = 0, kept = 0;

    while (after && first < list->count && strcmp(list->entries[first]->name, after) <= 0)
        first++;
    list->has_more = list->count - first > limit;
    for (size_t i = 0; i < list->count; i++) {
        if (i >= first && kept < limit)
            list->entries[kept++] = list->entries[i];
        else
            free(list->entries[i]);
    }
    list->count = kept;
}
