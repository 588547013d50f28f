/*
 * Each guess costs an interval of time, and each key may be ahead of the clock by some intervals: so
 * all that is to be remembered of a key is until when its guesses are paid for (the generic cell rate algorithm of
 * ITU-T I.371). A key whose time has come is as good as forgotten, and its place free.
 */
#include "registry/access/guess-limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/random.h"
#include "registry/access/client-network.h"

enum { BUCKETS = 1024, WAYS = 8, SEED_SIZE = 32, MINUTE_MS = 60000, ADDRESS_FACTOR = 10 };

struct place {
    uint64_t key;
    uint64_t paid_until_ms;
};

struct guess_limit {
    pthread_mutex_t lock;
    unsigned per_minute;
    unsigned char seed[SEED_SIZE];
    struct place places[BUCKETS][WAYS];
};

struct guess_limit *guess_limit_new(unsigned per_minute)
{
    struct guess_limit *limit = calloc(1, sizeof(*limit));

    if (!limit)
        return NULL;
    pthread_mutex_init(&limit->lock, NULL);
    limit->per_minute = per_minute;
    random_bytes(limit->seed, sizeof(limit->seed));
    return limit;
}

void guess_limit_free(struct guess_limit *limit)
{
    if (!limit)
        return;
    pthread_mutex_destroy(&limit->lock);
    free(limit);
}

/* --- keys -------------------------------------------------------------------------------- */

struct key {
    uint64_t hash;
    unsigned per_minute;
};

/* NULL for user: of the address alone. Without memory everybody has one key, which errs on the side of slowness. */
static struct key make_key(const struct guess_limit *limit, const char *address, const void *user, size_t user_size)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    struct key key = {.per_minute = user ? limit->per_minute : limit->per_minute * ADDRESS_FACTOR};
    unsigned char network[CLIENT_NETWORK_SIZE];
    struct digest digest;
    char first[17];

    if (hasher_new(DIGEST_SHA256, &hasher) < 0)
        return key;
    hasher_write(hasher, limit->seed, sizeof(limit->seed));
    hasher_write(hasher, user ? "u" : "a", 1);
    client_network_of_text(address, network);
    hasher_write(hasher, network, sizeof(network));
    if (user)
        hasher_write(hasher, user, user_size);
    hasher_get(hasher, &digest);
    memcpy(first, digest.hex, 16);
    first[16] = '\0';
    key.hash = strtoull(first, NULL, 16);
    return key;
}

static uint64_t interval_of(const struct key *key)
{
    return MINUTE_MS / key->per_minute ? MINUTE_MS / key->per_minute : 1;
}

/* --- places ------------------------------------------------------------------------------ */

static struct place *find(struct guess_limit *limit, const struct key *key)
{
    struct place *places = limit->places[key->hash % BUCKETS];

    for (size_t i = 0; i < WAYS; i++)
        if (places[i].key == key->hash)
            return &places[i];
    return NULL;
}

/* The one whose time comes first has the least to lose. */
static struct place *make_room(struct guess_limit *limit, const struct key *key)
{
    struct place *places = limit->places[key->hash % BUCKETS], *first = &places[0];

    for (size_t i = 1; i < WAYS; i++)
        if (places[i].paid_until_ms < first->paid_until_ms)
            first = &places[i];
    *first = (struct place){.key = key->hash};
    return first;
}

static uint64_t wait_of(struct guess_limit *limit, const struct key *key, uint64_t now_ms)
{
    const struct place *place = find(limit, key);
    /* All of a minute's guesses may come at once; one more has to wait until the first is paid for. */
    uint64_t ahead = interval_of(key) * (key->per_minute - 1);

    return place && place->paid_until_ms > now_ms + ahead ? place->paid_until_ms - now_ms - ahead : 0;
}

static void charge(struct guess_limit *limit, const struct key *key, uint64_t now_ms)
{
    uint64_t most_ms = now_ms + interval_of(key) * key->per_minute;
    struct place *place = find(limit, key);

    if (!place)
        place = make_room(limit, key);
    if (place->paid_until_ms < now_ms)
        place->paid_until_ms = now_ms;
    place->paid_until_ms += interval_of(key);
    /* However many there were: who shares an address with a guesser waits no longer than an interval after him. */
    if (place->paid_until_ms > most_ms)
        place->paid_until_ms = most_ms;
}

uint64_t guess_limit_get_wait(struct guess_limit *limit, const char *address, const void *user, size_t user_size,
                              uint64_t now_ms)
{
    struct key of_user = make_key(limit, address, user, user_size), of_address = make_key(limit, address, NULL, 0);
    uint64_t wait, wait_of_address;

    pthread_mutex_lock(&limit->lock);
    wait = wait_of(limit, &of_user, now_ms);
    wait_of_address = wait_of(limit, &of_address, now_ms);
    pthread_mutex_unlock(&limit->lock);
    return wait > wait_of_address ? wait : wait_of_address;
}

void guess_limit_count(struct guess_limit *limit, const char *address, const void *user, size_t user_size,
                       uint64_t now_ms)
{
    struct key of_user = make_key(limit, address, user, user_size), of_address = make_key(limit, address, NULL, 0);

    pthread_mutex_lock(&limit->lock);
    charge(limit, &of_user, now_ms);
    charge(limit, &of_address, now_ms);
    pthread_mutex_unlock(&limit->lock);
}
