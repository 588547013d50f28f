/*
 * Docker's clients send the password with each request, and bcrypt is slow on purpose: this is
 * what keeps the two from meeting each time. It is the one file of the registry that sees libgcrypt.
 *
 * Entries are found by their HMAC itself. Nobody without its key can choose one, so neither the
 * chains of the table nor how long a search takes can be steered or tell anything.
 */
#include "registry/access/password-cache.h"

#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/same-bytes.h"
#include "registry/access/bcrypt.h"

enum { MAC_SIZE = 32, KEY_SIZE = 32, NONE = -1 };

struct entry {
    int next_of_bucket;
    int newer, older; /* by last use */
    uint64_t end_ms;
};

struct password_cache {
    pthread_mutex_t mutex; /* of all below but the key */
    gcry_md_hd_t keyed;    /* copied for each HMAC; never written to after it has its key */
    uint64_t life_ms;

    unsigned max;
    unsigned char (*macs)[MAC_SIZE]; /* secure memory; the entry of the same index has the rest */
    struct entry *entries;
    int *buckets;
    size_t bucket_mask;
    int newest, oldest;
    int first_free; /* linked by next_of_bucket */
};

/* --- the HMAC --------------------------------------------------------------------------- */

static void close_state(gcry_md_hd_t *state)
{
    gcry_md_close(*state);
}

/* With its size before it: user "ab" with password "c" is not "a" with "bc". */
static void write_sized(gcry_md_hd_t state, const void *data, size_t size)
{
    uint64_t count = size;

    gcry_md_write(state, &count, sizeof(count));
    if (size > 0)
        gcry_md_write(state, data, size);
}

static int compute_mac(const struct password_cache *cache, const struct verified *what, unsigned char *ret_mac)
{
    CLEANUP(close_state) gcry_md_hd_t state = NULL;
    size_t password_size = what->password->size;

    if (gcry_md_copy(&state, cache->keyed) != 0)
        return -ENOMEM;
    if (password_size > BCRYPT_PASSWORD_MAX)
        password_size = BCRYPT_PASSWORD_MAX;
    write_sized(state, what->user->data, what->user->size);
    write_sized(state, what->password->data, password_size);
    write_sized(state, what->hash, BCRYPT_SIZE);
    memcpy(ret_mac, gcry_md_read(state, GCRY_MD_SHA256), MAC_SIZE);
    return 0;
}

static int make_key(struct password_cache *cache)
{
    unsigned char *key = secure_malloc(KEY_SIZE);
    gcry_error_t r;

    if (!key)
        return -ENOMEM;
    random_bytes(key, KEY_SIZE);
    r = gcry_md_open(&cache->keyed, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC | GCRY_MD_FLAG_SECURE);
    if (r == 0)
        r = gcry_md_setkey(cache->keyed, key, KEY_SIZE);
    secure_free(key);
    return r == 0 ? 0 : -ENOMEM;
}

/* --- the table; the mutex is held ------------------------------------------------------- */

static int *bucket_of(struct password_cache *cache, const unsigned char *mac)
{
    uint32_t number;

    memcpy(&number, mac, sizeof(number));
    return &cache->buckets[number & cache->bucket_mask];
}

/* The link to the entry with this HMAC, or to the end of its chain. */
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

/* --- the outside ------------------------------------------------------------------------ */

void password_cache_add(struct password_cache *cache, const struct verified *what, uint64_t now_ms)
{
    unsigned char mac[MAC_SIZE];

    if (compute_mac(cache, what, mac) < 0)
        return; /* then bcrypt runs once more */
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
    r = make_key(cache); /* first, for the memory that is certainly locked is small */
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
    gcry_md_close(cache->keyed);
    if (cache->macs)
        explicit_bzero(cache->macs, cache->max * sizeof(*cache->macs));
    secure_free(cache->macs);
    free(cache->entries);
    free(cache->buckets);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}
