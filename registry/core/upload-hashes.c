#include "registry/core/upload-hashes.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* An entry takes about 1 KiB. */
enum { MAX_ENTRIES = 1024, MAX_AGE_S = 60 * 60 };

struct kept_hash {
    char *key; /* "<name>/<id>" */
    struct storage_upload_state state;
    struct upload_hash hash;
    time_t since_s;
    struct kept_hash *older, *newer;
};

struct upload_hashes {
    pthread_mutex_t mutex;
    void *tree; /* of struct kept_hash, for tsearch() */
    struct kept_hash *oldest, *newest;
    size_t count;
};

int upload_hash_new(enum digest_algorithm algorithm, struct upload_hash *ret)
{
    struct upload_hash hash = {0};
    int r = hasher_new(DIGEST_SHA256, &hash.sha256);

    if (r == 0 && algorithm == DIGEST_SHA512)
        r = hasher_new(DIGEST_SHA512, &hash.sha512);
    if (r < 0)
        upload_hash_done(&hash);
    else
        *ret = hash;
    return r;
}

void upload_hash_write(struct upload_hash *hash, const void *data, size_t size)
{
    if (hash->sha256)
        hasher_write(hash->sha256, data, size);
    if (hash->sha512)
        hasher_write(hash->sha512, data, size);
    hash->hashed += size;
}

void upload_hash_done(struct upload_hash *hash)
{
    hasher_free(hash->sha256);
    hasher_free(hash->sha512);
    *hash = (struct upload_hash){0};
}

static void kept_hash_free(void *object)
{
    struct kept_hash *entry = object;

    if (!entry)
        return;
    upload_hash_done(&entry->hash);
    free(entry->key);
    free(entry);
}

static int compare(const void *a, const void *b)
{
    const struct kept_hash *left = a, *right = b;

    return strcmp(left->key, right->key);
}

struct upload_hashes *upload_hashes_new(void)
{
    struct upload_hashes *hashes = calloc(1, sizeof(*hashes));

    if (hashes)
        pthread_mutex_init(&hashes->mutex, NULL);
    return hashes;
}

void upload_hashes_free(struct upload_hashes *hashes)
{
    if (!hashes)
        return;
    tdestroy(hashes->tree, kept_hash_free);
    pthread_mutex_destroy(&hashes->mutex);
    free(hashes);
}

/* --- called with the mutex held -------------------------------------------------------------- */

static void take_out(struct upload_hashes *hashes, struct kept_hash *entry)
{
    tdelete(entry, &hashes->tree, compare);
    *(entry->older ? &entry->older->newer : &hashes->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &hashes->newest) = entry->older;
    hashes->count--;
}

static struct kept_hash *find(struct upload_hashes *hashes, char *key)
{
    struct kept_hash wanted = {.key = key}, **found = tfind(&wanted, &hashes->tree, compare);

    return found ? *found : NULL;
}

/* Takes ownership of entry. */
static void put_in(struct upload_hashes *hashes, struct kept_hash *entry)
{
    struct kept_hash *former = find(hashes, entry->key);

    if (former)
        take_out(hashes, former);
    kept_hash_free(former);
    if (!tsearch(entry, &hashes->tree, compare)) {
        kept_hash_free(entry);
        return;
    }
    entry->older = hashes->newest;
    *(hashes->newest ? &hashes->newest->newer : &hashes->oldest) = entry;
    hashes->newest = entry;
    hashes->count++;
}

static void drop_oldest(struct upload_hashes *hashes, time_t now_s)
{
    while (hashes->oldest &&
           (hashes->count > MAX_ENTRIES || now_s - hashes->oldest->since_s > MAX_AGE_S)) {
        struct kept_hash *entry = hashes->oldest;

        take_out(hashes, entry);
        kept_hash_free(entry);
    }
}

/* --- public functions ------------------------------------------------------------------------ */

static char *make_key(const char *name, const char *id)
{
    char *key;

    return asprintf(&key, "%s/%s", name, id) < 0 ? NULL : key;
}

void upload_hashes_take(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *ret)
{
    CLEANUP_FREE char *key = make_key(name, id);
    struct kept_hash *entry = NULL;

    *ret = (struct upload_hash){0};
    if (!key)
        return;
    pthread_mutex_lock(&hashes->mutex);
    entry = find(hashes, key);
    if (entry)
        take_out(hashes, entry);
    pthread_mutex_unlock(&hashes->mutex);
    if (entry && entry->state.size == state->size && entry->hash.hashed == state->size &&
        storage_version_is_same(&entry->state.version, &state->version)) {
        *ret = entry->hash;
        entry->hash = (struct upload_hash){0};
    }
    kept_hash_free(entry);
}

void upload_hashes_keep(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *hash)
{
    struct kept_hash *entry = calloc(1, sizeof(*entry));
    char *key = make_key(name, id);

    if (!entry || !key) {
        free(entry);
        free(key);
        upload_hash_done(hash);
        return;
    }
    *entry = (struct kept_hash){.key = key, .state = *state, .hash = *hash, .since_s = time(NULL)};
    *hash = (struct upload_hash){0};
    pthread_mutex_lock(&hashes->mutex);
    put_in(hashes, entry);
    drop_oldest(hashes, time(NULL));
    pthread_mutex_unlock(&hashes->mutex);
}
