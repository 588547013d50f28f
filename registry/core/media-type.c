#include "registry/core/media-type.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

/* 4096 entries of 67 bytes. */
enum { ENTRIES = 4096 };

static const char *const types[] = {
    "application/octet-stream",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    MANIFEST_DOCKER_IMAGE,
    MANIFEST_DOCKER_LIST,
    MANIFEST_OCI_ARTIFACT,
    MANIFEST_OCI_IMAGE,
    MANIFEST_OCI_INDEX,
};

enum { TYPE_UNKNOWN, TYPE_SCHEMA_1, TYPE_SCHEMA_1_SIGNED };

struct sniffed {
    unsigned char type; /* an index into types */
    bool is_stated;
};

struct entry {
    char hex[65];
    struct sniffed sniffed;
};

struct type_cache {
    pthread_mutex_t mutex;
    struct entry entries[ENTRIES];
};

/* Schema 1 is no longer accepted, but old storages contain it. */
static unsigned char sniff_schema_1(const void *bytes, size_t size)
{
    CLEANUP(json_freep) struct json *document = NULL;
    int64_t version = 0;

    if (json_parse_public(bytes, size, &document) < 0 ||
        json_get_integer(json_find(document, "schemaVersion"), &version) < 0 || version != 1)
        return TYPE_UNKNOWN;
    return json_find(document, "signatures") ? TYPE_SCHEMA_1_SIGNED : TYPE_SCHEMA_1;
}

static unsigned char find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(name, types[i]) == 0)
            return (unsigned char)i;
    }
    return TYPE_UNKNOWN;
}

static struct sniffed sniff(const void *bytes, size_t size)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};

    if (manifest_parse(NULL, bytes, size, &manifest, NULL) < 0)
        return (struct sniffed){.type = sniff_schema_1(bytes, size)};
    return (struct sniffed){.type = find_type(manifest.media_type),
                            .is_stated = manifest.is_type_stated};
}

static void tell(struct sniffed sniffed, struct shown_type *ret)
{
    memcpy(ret->name, types[sniffed.type], strlen(types[sniffed.type]) + 1);
    ret->is_stated = sniffed.is_stated;
}

void media_type_sniff(const void *bytes, size_t size, struct shown_type *ret)
{
    tell(sniff(bytes, size), ret);
}

struct type_cache *type_cache_new(void)
{
    struct type_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

void type_cache_free(struct type_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* The digest's own bits are the hash. */
static struct entry *find_entry(struct type_cache *cache, const struct digest *canonical)
{
    char text[4] = {canonical->hex[0], canonical->hex[1], canonical->hex[2], '\0'};

    return &cache->entries[strtoul(text, NULL, 16) % ENTRIES];
}

/* Whether the type of these bytes is cached. */
static bool recall(struct type_cache *cache, const struct digest *canonical, struct sniffed *ret)
{
    struct entry *entry = find_entry(cache, canonical);
    bool is_known;

    pthread_mutex_lock(&cache->mutex);
    is_known = strncmp(entry->hex, canonical->hex, sizeof(entry->hex)) == 0;
    if (is_known)
        *ret = entry->sniffed;
    pthread_mutex_unlock(&cache->mutex);
    return is_known;
}

bool type_cache_find(struct type_cache *cache, const struct digest *canonical,
                     struct shown_type *ret)
{
    struct sniffed sniffed;

    if (!recall(cache, canonical, &sniffed))
        return false;
    tell(sniffed, ret);
    return true;
}

void type_cache_sniff(struct type_cache *cache, const struct digest *canonical, const void *bytes,
                      size_t size, struct shown_type *ret)
{
    struct entry *entry = find_entry(cache, canonical);
    struct sniffed sniffed;

    if (!recall(cache, canonical, &sniffed)) {
        sniffed = sniff(bytes, size);
        pthread_mutex_lock(&cache->mutex);
        memcpy(entry->hex, canonical->hex, 64);
        entry->sniffed = sniffed;
        pthread_mutex_unlock(&cache->mutex);
    }
    tell(sniffed, ret);
}
