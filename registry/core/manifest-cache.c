#include "registry/core/manifest-cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/spec/name.h"

enum { PLACES = 4096 /* of each table */ };

/* The bytes of a manifest. */
struct kept {
    struct digest digest;
    bool is_used; /* since the hand passed it */
    size_t size;
    char bytes[]; /* and a NUL */
};

/* The digest of a repository's name and a manifest's digest. */
struct link {
    struct digest id;
    int64_t found_ms;
};

struct manifest_cache {
    pthread_mutex_t mutex; /* protects the rest */
    struct kept *kept[PLACES]; /* by the first bytes of the digest */
    size_t bytes;
    size_t hand; /* where the search for something to drop goes on */
    struct link links[PLACES];
};

struct manifest_cache *manifest_cache_new(void)
{
    struct manifest_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

static size_t cost_of(const struct kept *kept)
{
    return sizeof(*kept) + kept->size + 1;
}

/* With the mutex held, as what follows. */
static void drop(struct manifest_cache *cache, size_t place)
{
    if (!cache->kept[place])
        return;
    cache->bytes -= cost_of(cache->kept[place]);
    free(cache->kept[place]);
    cache->kept[place] = NULL;
}

void manifest_cache_free(struct manifest_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < PLACES; i++)
        drop(cache, i);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

static size_t place_of(const struct digest *digest)
{
    char text[5];

    snprintf(text, sizeof(text), "%.4s", digest->hex);
    return strtoul(text, NULL, 16) % PLACES;
}

/* Drops what was not used for a while, until size bytes fit. */
static void make_room(struct manifest_cache *cache, size_t size)
{
    for (; cache->bytes + size > MANIFEST_CACHE_BYTES; cache->hand = (cache->hand + 1) % PLACES) {
        struct kept *kept = cache->kept[cache->hand];

        if (kept && kept->is_used)
            kept->is_used = false;
        else
            drop(cache, cache->hand);
    }
}

/* --- bytes ----------------------------------------------------------------------------------- */

bool manifest_cache_find(struct manifest_cache *cache, const struct digest *canonical,
                         char **ret_bytes, size_t *ret_size)
{
    struct kept *kept;
    char *bytes = NULL;

    pthread_mutex_lock(&cache->mutex);
    kept = cache->kept[place_of(canonical)];
    if (kept && digest_is_equal(&kept->digest, canonical)) {
        kept->is_used = true;
        bytes = malloc(kept->size + 1);
        if (bytes) {
            memcpy(bytes, kept->bytes, kept->size + 1);
            *ret_size = kept->size;
        }
    }
    pthread_mutex_unlock(&cache->mutex);
    if (bytes)
        *ret_bytes = bytes;
    return bytes;
}

void manifest_cache_add(struct manifest_cache *cache, const struct digest *canonical,
                        const char *bytes, size_t size)
{
    size_t place = place_of(canonical);
    struct kept *kept;

    if (size > MANIFEST_CACHE_LARGEST)
        return;
    kept = malloc(sizeof(*kept) + size + 1);
    if (!kept)
        return;
    kept->digest = *canonical;
    kept->is_used = true;
    kept->size = size;
    memcpy(kept->bytes, bytes, size);
    kept->bytes[size] = '\0';
    pthread_mutex_lock(&cache->mutex);
    drop(cache, place);
    make_room(cache, cost_of(kept));
    cache->bytes += cost_of(kept);
    cache->kept[place] = kept;
    pthread_mutex_unlock(&cache->mutex);
}

/* --- links ----------------------------------------------------------------------------------- */

/* False: out of memory. */
static bool make_id(const char *repository, const struct digest *digest, struct digest *ret)
{
    char text[NAME_MAX_SIZE + 1 + DIGEST_TEXT_SIZE + 1], form[DIGEST_TEXT_SIZE];
    int size;

    digest_format(digest, form);
    size = snprintf(text, sizeof(text), "%s@%s", repository, form);
    return digest_of(DIGEST_SHA256, text, (size_t)size, ret) == 0;
}

void manifest_cache_note_link(struct manifest_cache *cache, const char *repository,
                              const struct digest *digest, int64_t found_ms)
{
    struct digest id;

    if (!make_id(repository, digest, &id))
        return;
    pthread_mutex_lock(&cache->mutex);
    cache->links[place_of(&id)] = (struct link){.id = id, .found_ms = found_ms};
    pthread_mutex_unlock(&cache->mutex);
}

bool manifest_cache_has_link(struct manifest_cache *cache, const char *repository,
                             const struct digest *digest)
{
    struct digest id;
    const struct link *link;
    bool is_known;

    if (!make_id(repository, digest, &id))
        return false;
    pthread_mutex_lock(&cache->mutex);
    link = &cache->links[place_of(&id)];
    is_known = digest_is_equal(&link->id, &id) &&
               monotonic_ms() - link->found_ms < MANIFEST_CACHE_LINK_S * 1000;
    pthread_mutex_unlock(&cache->mutex);
    return is_known;
}
