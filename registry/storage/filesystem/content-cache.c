/*
 * Links and manifests have a few hundred bytes, and copying them costs less than reading them. The
 * table has one slot for each hash, and a new entry replaces the old one in its slot. A part of the
 * table that exceeds its limit of bytes is emptied.
 */
#include "registry/storage/filesystem/content-cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/filesystem/key-hash.h"
#include "registry/storage/filesystem/stamp.h"

enum {
    PARTS = 16,
    PLACES = 512,           /* of each part */
    PART_BYTES = 256 << 10, /* 4 MiB in all */
};

struct entry {
    uint64_t hash;
    struct stat stamp;
    size_t size;
    char *bytes; /* behind the key */
    char key[];
};

struct part {
    pthread_mutex_t mutex;
    size_t used; /* bytes */
    struct entry *places[PLACES];
};

struct content_cache {
    uint64_t hits, misses; /* atomic */
    struct part parts[PARTS];
};

struct content_cache *content_cache_new(void)
{
    struct content_cache *cache = calloc(1, sizeof(*cache));

    for (int i = 0; cache && i < PARTS; i++)
        pthread_mutex_init(&cache->parts[i].mutex, NULL);
    return cache;
}

static size_t size_of(const struct entry *entry)
{
    return sizeof(*entry) + strlen(entry->key) + 1 + entry->size;
}

static void forget(struct part *part, struct entry **place)
{
    if (!*place)
        return;
    part->used -= size_of(*place);
    free(*place);
    *place = NULL;
}

static void forget_all(struct part *part)
{
    for (int i = 0; i < PLACES; i++)
        forget(part, &part->places[i]);
}

void content_cache_free(struct content_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < PARTS; i++) {
        forget_all(&cache->parts[i]);
        pthread_mutex_destroy(&cache->parts[i].mutex);
    }
    free(cache);
}

static struct part *part_of(struct content_cache *cache, uint64_t hash)
{
    return &cache->parts[hash % PARTS];
}

static struct entry **place_of(struct part *part, uint64_t hash)
{
    return &part->places[hash / PARTS % PLACES];
}

void content_cache_count(const struct content_cache *cache, uint64_t *ret_hits,
                         uint64_t *ret_misses)
{
    *ret_hits = __atomic_load_n(&cache->hits, __ATOMIC_RELAXED);
    *ret_misses = __atomic_load_n(&cache->misses, __ATOMIC_RELAXED);
}

int content_cache_get(struct content_cache *cache, const char *key, const struct stat *stamp,
                      char **ret_bytes, size_t *ret_size)
{
    uint64_t hash = key_hash(key);
    struct part *part = part_of(cache, hash);
    const struct entry *entry;
    size_t size = (size_t)stamp->st_size;
    char *bytes;
    bool is_known;

    if (stamp->st_size > CONTENT_CACHE_SIZE_MAX)
        return -ENOENT;
    bytes = malloc(size + 1);
    if (!bytes)
        return -ENOMEM;
    pthread_mutex_lock(&part->mutex);
    entry = *place_of(part, hash);
    is_known = entry && entry->hash == hash && stamp_is_same(&entry->stamp, stamp) &&
               strcmp(entry->key, key) == 0;
    if (is_known)
        memcpy(bytes, entry->bytes, size);
    pthread_mutex_unlock(&part->mutex);
    __atomic_add_fetch(is_known ? &cache->hits : &cache->misses, 1, __ATOMIC_RELAXED);
    if (!is_known) {
        free(bytes);
        return -ENOENT;
    }
    bytes[size] = '\0';
    *ret_bytes = bytes;
    *ret_size = size;
    return 0;
}

static struct entry *make_entry(const char *key, uint64_t hash, const struct stat *stamp,
                                const char *bytes, size_t size)
{
    size_t key_size = strlen(key) + 1;
    struct entry *entry = malloc(sizeof(*entry) + key_size + size);

    if (!entry)
        return NULL;
    entry->hash = hash;
    entry->stamp = *stamp;
    entry->size = size;
    entry->bytes = entry->key + key_size;
    memcpy(entry->key, key, key_size);
    memcpy(entry->bytes, bytes, size);
    return entry;
}

void content_cache_put(struct content_cache *cache, const char *key, const struct stat *stamp,
                       const char *bytes, size_t size)
{
    uint64_t hash = key_hash(key);
    struct part *part = part_of(cache, hash);
    struct entry *entry, **place = place_of(part, hash);

    /* The stamp of a file that grew or shrank while it was read does not describe these bytes. */
    if (size > CONTENT_CACHE_SIZE_MAX || (off_t)size != stamp->st_size || !stamp_is_settled(stamp))
        return;
    entry = make_entry(key, hash, stamp, bytes, size);
    if (!entry)
        return;
    pthread_mutex_lock(&part->mutex);
    forget(part, place);
    if (part->used + size_of(entry) > PART_BYTES)
        forget_all(part);
    *place = entry;
    part->used += size_of(entry);
    pthread_mutex_unlock(&part->mutex);
}
