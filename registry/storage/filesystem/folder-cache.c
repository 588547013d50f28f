/*
 * A repository may have a hundred thousand tags, and a client asks for them a hundred at a time: to read the folder and to
 * sort it for each page takes a hundred times as long as the page. There are few such folders, so that a short list of
 * them is enough, the one used last first. Names lie packed in one piece, which whoever reads them holds a reference to.
 */
#include "registry/storage/filesystem/folder-cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/filesystem/stamp.h"

enum {
    MOST_FOLDERS = 8,
    FEWEST_NAMES = 256,     /* to read fewer is cheap */
    MOST_BYTES = 8 << 20,   /* of all folders */
};

struct folder {
    unsigned references; /* atomic; one is the cache's */
    struct stat stamp;
    char *key; /* these three in the same piece of memory */
    uint32_t *offsets;
    char *text;
    size_t count, size;
};

struct folder_cache {
    pthread_mutex_t mutex;
    size_t used; /* bytes */
    struct folder *folders[MOST_FOLDERS]; /* by last use; NULL after the last */
};

struct folder_cache *folder_cache_new(void)
{
    struct folder_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

static void folder_unref(struct folder *folder)
{
    if (folder && __atomic_sub_fetch(&folder->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(folder);
}

static void folder_unrefp(struct folder **folder)
{
    folder_unref(*folder);
}

void folder_cache_free(struct folder_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < MOST_FOLDERS; i++)
        folder_unref(cache->folders[i]);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* --- the list; the mutex is held ---------------------------------------------------------- */

/* Where the folder is, or the first free place, or MOST_FOLDERS. */
static int find(const struct folder_cache *cache, const char *key)
{
    int i = 0;

    while (i < MOST_FOLDERS && cache->folders[i] && strcmp(cache->folders[i]->key, key) != 0)
        i++;
    return i;
}

/* Moves what lies before place i by one, over what was there. */
static void put_first(struct folder_cache *cache, int i, struct folder *folder)
{
    memmove(&cache->folders[1], &cache->folders[0], (size_t)i * sizeof(cache->folders[0]));
    cache->folders[0] = folder;
}

/* Those after it move up. */
static void forget(struct folder_cache *cache, int i)
{
    cache->used -= cache->folders[i]->size;
    folder_unref(cache->folders[i]);
    memmove(&cache->folders[i], &cache->folders[i + 1], (size_t)(MOST_FOLDERS - 1 - i) * sizeof(cache->folders[0]));
    cache->folders[MOST_FOLDERS - 1] = NULL;
}

static void add(struct folder_cache *cache, struct folder *folder)
{
    int i = find(cache, folder->key);

    if (i < MOST_FOLDERS && cache->folders[i])
        forget(cache, i);
    for (i = MOST_FOLDERS - 1; i >= 0; i--)
        if (cache->folders[i] && (i == MOST_FOLDERS - 1 || cache->used + folder->size > MOST_BYTES))
            forget(cache, i);
    put_first(cache, MOST_FOLDERS - 1, folder);
    cache->used += folder->size;
}

/* --- a page ------------------------------------------------------------------------------- */

/* The index of the first name after that one. */
static size_t find_after(const struct folder *folder, const char *after)
{
    size_t low = 0, high = after ? folder->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(folder->text + folder->offsets[middle], after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct folder_name *copy_name(const char *text)
{
    size_t size = strlen(text) + 1;
    struct folder_name *name = malloc(sizeof(*name) + size);

    if (!name)
        return NULL;
    name->type = 0;
    memcpy(name->text, text, size);
    return name;
}

static int copy_page(const struct folder *folder, const char *after, size_t n, struct folder_names *ret)
{
    CLEANUP(folder_names_done) struct folder_names page = {0};
    size_t first = find_after(folder, after), count = folder->count - first;

    if (count > n)
        count = n;
    page.names = calloc(count + 1, sizeof(*page.names));
    if (!page.names)
        return -ENOMEM;
    for (; page.count < count; page.count++) {
        page.names[page.count] = copy_name(folder->text + folder->offsets[first + page.count]);
        if (!page.names[page.count])
            return -ENOMEM;
    }
    *ret = page;
    page = (struct folder_names){0};
    return 0;
}

int folder_cache_get(struct folder_cache *cache, const char *key, const struct stat *stamp, const char *after, size_t n,
                     struct folder_names *ret)
{
    CLEANUP(folder_unrefp) struct folder *folder = NULL;
    int i;

    pthread_mutex_lock(&cache->mutex);
    i = find(cache, key);
    if (i < MOST_FOLDERS && cache->folders[i] && stamp_is_same(&cache->folders[i]->stamp, stamp)) {
        folder = cache->folders[i];
        __atomic_add_fetch(&folder->references, 1, __ATOMIC_RELAXED);
        put_first(cache, i, folder);
    }
    pthread_mutex_unlock(&cache->mutex);
    return folder ? copy_page(folder, after, n, ret) : -ENOENT;
}

/* --- keeping ------------------------------------------------------------------------------ */

static struct folder *pack(const char *key, const struct stat *stamp, const struct folder_names *names)
{
    size_t text_size = 0, key_size = strlen(key) + 1, offsets_size = names->count * sizeof(uint32_t), size;
    struct folder *folder;

    for (size_t i = 0; i < names->count; i++)
        text_size += strlen(names->names[i]->text) + 1;
    size = sizeof(*folder) + offsets_size + text_size + key_size;
    folder = size <= MOST_BYTES ? malloc(size) : NULL;
    if (!folder)
        return NULL;
    *folder = (struct folder){.references = 1, .stamp = *stamp, .count = names->count, .size = size};
    folder->offsets = (uint32_t *)(folder + 1);
    folder->text = (char *)folder->offsets + offsets_size;
    folder->key = folder->text + text_size;
    memcpy(folder->key, key, key_size);
    text_size = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen(names->names[i]->text) + 1;

        folder->offsets[i] = (uint32_t)text_size;
        memcpy(folder->text + text_size, names->names[i]->text, length);
        text_size += length;
    }
    return folder;
}

void folder_cache_put(struct folder_cache *cache, const char *key, const struct stat *stamp,
                      const struct folder_names *names)
{
    struct folder *folder;

    if (names->count < FEWEST_NAMES || !stamp_is_settled(stamp))
        return;
    folder = pack(key, stamp, names);
    if (!folder)
        return;
    pthread_mutex_lock(&cache->mutex);
    add(cache, folder);
    pthread_mutex_unlock(&cache->mutex);
}

void folder_names_cut(struct folder_names *names, const char *after, size_t n)
{
    size_t first = 0, kept = 0;

    while (after && first < names->count && strcmp(names->names[first]->text, after) <= 0)
        first++;
    for (size_t i = 0; i < names->count; i++) {
        if (i >= first && kept < n)
            names->names[kept++] = names->names[i];
        else
            free(names->names[i]);
    }
    names->count = kept;
}
