/*
 * Caches verified passwords, because Docker's clients send the password with each request and
 * bcrypt is slow. Entries are found by a keyed digest.
 */
#include "registry/access/password-cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/same-bytes.h"
#include "registry/access/bcrypt.h"
#include "registry/access/keyed-digest.h"

enum { MAC_SIZE = KEYED_DIGEST_SIZE, NONE = -1 };

struct entry {
    int next_of_bucket;
    int newer, older; /* by last use */
    uint64_t end_ms;
};

struct password_cache {
    pthread_mutex_t mutex; /* protects the following members except the key */
    struct keyed_digest *keyed;
    uint64_t life_ms;

    unsigned max;
    unsigned char (
        *macs)[MAC_SIZE]; /* in secure memory; belongs to the entry with the same index */
    struct entry *entries;
    int *buckets;
    size_t bucket_mask;
    int newest, oldest;
    int first_free; /* linked by next_of_bucket */
};

static int compute_mac(const struct password_cache *cache, const struct verified *what,
                       unsigned char *ret_mac)
{
    size_t password_size = what->password->size;
    const struct keyed_part parts[] = {
        {what->user->data, what->user->size},
        {what->password->data,
         password_size < BCRYPT_PASSWORD_MAX ? password_size : BCRYPT_PASSWORD_MAX},
        {what->hash, BCRYPT_SIZE},
    };

    return keyed_digest_compute(cache->keyed, parts, ARRAY_SIZE(parts), ret_mac);
}

/* --- the table; the mutex is held ------------------------------------------------------- */

static int *bucket_of(struct password_cache *cache, const unsigned char *mac)
{
    uint32_t number;

    memcpy(&number, mac, sizeof(number));
    return &cache->buckets[number & cache->bucket_mask];
}

/* Returns the link to the entry with this HMAC, or the link at the end of its chain. */
static int *find(struct password_cache *cache, const unsigned char *mac)
{
    int *at = bucket_of(cache, mac);

    while (*at != NONE && !same_bytes(cache->macs[*at], mac, MAC_SIZE))
        at = &cache->entries[*at].next_of_bucket;
    return at;
}

static void leave_use_list(struct password_cache *cache, int i)
{
    const struct entry *entry = &cache->entries[i];

    *(entry->newer == NONE ? &cache->newest : &cache->entries[entry->newer].older) = entry->older;
    *(entry->older == NONE ? &cache->oldest : &cache->entries[entry->older].newer) = entry->newer;
}

static void join_use_list(struct password_cache *cache, int i)
{
    struct entry *entry = &cache->entries[i];

    entry->newer = NONE;
    entry->older = cache->newest;
    *(cache->newest == NONE ? &cache->oldest : &cache->entries[cache->newest].newer) = i;
    cache->newest = i;
}

static void forget(struct password_cache *cache, int i)
{
    int *at = find(cache, cache->macs[i]);

    *at = cache->entries[i].next_of_bucket;
    leave_use_list(cache, i);
    explicit_bzero(cache->macs[i], MAC_SIZE);
    cache->entries[i].next_of_bucket = cache->first_free;
    cache->first_free = i;
}

static void forget_ended(struct password_cache *cache, uint64_t now_ms)
{
    for (int i = cache->oldest, newer; i != NONE; i = newer) {
        newer = cache->entries[i].newer;
        if (cache->entries[i].end_ms <= now_ms)
            forget(cache, i);
    }
}

static void add(struct password_cache *cache, const unsigned char *mac, uint64_t now_ms)
{
    int i = *find(cache, mac);

    if (i != NONE)
        forget(cache, i);
    forget_ended(cache, now_ms);
    if (cache->first_free == NONE)
        forget(cache, cache->oldest);
    i = cache->first_free;
    cache->first_free = cache->entries[i].next_of_bucket;
    memcpy(cache->macs[i], mac, MAC_SIZE);
    cache->entries[i].end_ms = now_ms + cache->life_ms;
    cache->entries[i].next_of_bucket = NONE;
    *find(cache, mac) = i;
    join_use_list(cache, i);
}

static bool has(struct password_cache *cache, const unsigned char *mac, uint64_t now_ms)
{
    int i = *find(cache, mac);

    if (i == NONE)
        return false;
    if (cache->entries[i].end_ms <= now_ms) {
        forget(cache, i);
        return false;
    }
    leave_use_list(cache, i);
    join_use_list(cache, i);
    return true;
}

/* --- public functions ------------------------------------------------------------------- */

void password_cache_add(struct password_cache *cache, const struct verified *what, uint64_t now_ms)
{
    unsigned char mac[MAC_SIZE];

    if (compute_mac(cache, what, mac) < 0)
        return; /* bcrypt then runs again */
    pthread_mutex_lock(&cache->mutex);
    add(cache, mac, now_ms);
    pthread_mutex_unlock(&cache->mutex);
    explicit_bzero(mac, sizeof(mac));
}

bool password_cache_has(struct password_cache *cache, const struct verified *what, uint64_t now_ms)
{
    unsigned char mac[MAC_SIZE];
    bool is_known;

    if (compute_mac(cache, what, mac) < 0)
        return false;
    pthread_mutex_lock(&cache->mutex);
    is_known = has(cache, mac, now_ms);
    pthread_mutex_unlock(&cache->mutex);
    explicit_bzero(mac, sizeof(mac));
    return is_known;
}

static int make_table(struct password_cache *cache, unsigned max)
{
    size_t buckets = 1;

    while (buckets < max)
        buckets *= 2;
    cache->max = max;
    cache->macs = secure_malloc(max * sizeof(*cache->macs));
    cache->entries = calloc(max, sizeof(*cache->entries));
    cache->buckets = calloc(buckets, sizeof(*cache->buckets));
    cache->bucket_mask = buckets - 1;
    if (!cache->macs || !cache->entries || !cache->buckets)
        return -ENOMEM;
    for (size_t i = 0; i < buckets; i++)
        cache->buckets[i] = NONE;
    for (unsigned i = 0; i < max; i++)
        cache->entries[i].next_of_bucket = i + 1 < max ? (int)i + 1 : NONE;
    cache->newest = cache->oldest = NONE;
    return 0;
}

int password_cache_new(unsigned max, uint64_t life_ms, struct password_cache **ret)
{
    struct password_cache *cache;
    int r;

    if (max == 0 || max > INT32_MAX / MAC_SIZE)
        return -EINVAL;
    cache = calloc(1, sizeof(*cache));
    if (!cache)
        return -ENOMEM;
    pthread_mutex_init(&cache->mutex, NULL);
    cache->life_ms = life_ms;
    /* before the table, because only the first pages of memory are certain to be locked */
    r = keyed_digest_new(NULL, &cache->keyed);
    if (r == 0)
        r = make_table(cache, max);
    if (r < 0) {
        password_cache_free(cache);
        return r;
    }
    *ret = cache;
    return 0;
}

void password_cache_free(struct password_cache *cache)
{
    if (!cache)
        return;
    keyed_digest_free(cache->keyed);
    if (cache->macs)
        explicit_bzero(cache->macs, cache->max * sizeof(*cache->macs));
    secure_free(cache->macs);
    free(cache->entries);
    free(cache->buckets);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}
