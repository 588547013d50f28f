/*
 * A set-associative cache: each token belongs to one set of a few places, in which it replaces the
 * least recently used one.
 */
#include "registry/access/token-cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "common/same-bytes.h"

enum { SETS = 256, WAYS = 8 };

struct place {
    unsigned char digest[KEYED_DIGEST_SIZE];
    uint64_t used; /* value of the counter of uses; 0: the place is empty */
    struct verified_token *token;
};

struct token_cache {
    struct keyed_digest *keyed;
    pthread_mutex_t lock; /* protects the following members */
    uint64_t uses;
    struct place places[SETS][WAYS];
};

/* --- tokens --------------------------------------------------------------------------------- */

struct verified_token *verified_token_ref(struct verified_token *token)
{
    __atomic_add_fetch(&token->references, 1, __ATOMIC_RELAXED);
    return token;
}

void verified_token_unref(struct verified_token *token)
{
    if (!token || __atomic_sub_fetch(&token->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    scopes_done(&token->scopes);
    explicit_bzero(token->stamp, sizeof(token->stamp));
    free(token);
}

void verified_token_unrefp(struct verified_token **token)
{
    verified_token_unref(*token);
}

/* --- the cache ------------------------------------------------------------------------------ */

struct token_cache *token_cache_new(void)
{
    struct token_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    if (keyed_digest_new(NULL, &cache->keyed) < 0) {
        free(cache);
        return NULL;
    }
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < SETS; i++)
        for (size_t j = 0; j < WAYS; j++)
            verified_token_unref(cache->places[i][j].token);
    keyed_digest_free(cache->keyed);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static int compute(const struct token_cache *cache, const struct secbuf *text, unsigned char *ret)
{
    const struct keyed_part part = {text->data, text->size};

    return keyed_digest_compute(cache->keyed, &part, 1, ret);
}

static struct place *set_of(struct token_cache *cache, const unsigned char *digest)
{
    return cache->places[digest[0] % SETS];
}

/* The lock is held. Returns NULL if the token is not in the cache. */
static struct place *find_place(struct token_cache *cache, const unsigned char *digest)
{
    struct place *set = set_of(cache, digest);

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].token && same_bytes(set[i].digest, digest, KEYED_DIGEST_SIZE))
            return &set[i];
    return NULL;
}

static struct place *find_least_used(struct token_cache *cache, const unsigned char *digest)
{
    struct place *set = set_of(cache, digest), *least = set;

    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < least->used)
            least = &set[i];
    return least;
}

void token_cache_add(struct token_cache *cache, const struct secbuf *text,
                     struct verified_token *token)
{
    unsigned char digest[KEYED_DIGEST_SIZE];
    struct verified_token *before;
    struct place *place;

    if (compute(cache, text, digest) < 0)
        return;
    pthread_mutex_lock(&cache->lock);
    place = find_place(cache, digest);
    if (!place)
        place = find_least_used(cache, digest);
    before = place->token;
    memcpy(place->digest, digest, sizeof(digest));
    place->token = verified_token_ref(token);
    place->used = ++cache->uses;
    pthread_mutex_unlock(&cache->lock);
    verified_token_unref(before);
}

struct verified_token *token_cache_find(struct token_cache *cache, const struct secbuf *text)
{
    unsigned char digest[KEYED_DIGEST_SIZE];
    struct verified_token *token = NULL;
    struct place *place;

    if (compute(cache, text, digest) < 0)
        return NULL;
    pthread_mutex_lock(&cache->lock);
    place = find_place(cache, digest);
    if (place) {
        place->used = ++cache->uses;
        token = verified_token_ref(place->token);
    }
    pthread_mutex_unlock(&cache->lock);
    return token;
}

void token_cache_drop(struct token_cache *cache, const struct secbuf *text)
{
    unsigned char digest[KEYED_DIGEST_SIZE];
    struct verified_token *token = NULL;
    struct place *place;

    if (compute(cache, text, digest) < 0)
        return;
    pthread_mutex_lock(&cache->lock);
    place = find_place(cache, digest);
    if (place) {
        token = place->token;
        *place = (struct place){0};
    }
    pthread_mutex_unlock(&cache->lock);
    verified_token_unref(token);
}
