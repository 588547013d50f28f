/*
 * Limits guesses by the generic cell rate algorithm (ITU-T I.371). Each guess costs an interval of
 * time, and a key may be ahead of the clock by some intervals. So the state of a key is one time:
 * when its guesses are paid for. After that time the key can be dropped, and its place is free.
 */
#include "registry/access/guess-limit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/random.h"
#include "common/client-network.h"

enum {
    BUCKETS = 1024,
    WAYS = 8,
    SEED_SIZE = 32,
    MINUTE_MS = 60000,
    LOGIN_MS = 60 * MINUTE_MS,
    ADDRESS_FACTOR = 10,
    INPUT_MAX = 512
};

struct place {
    uint64_t key;
    uint64_t paid_until_ms;
};

struct guess_limit {
    pthread_mutex_t lock;
    unsigned per_minute;
    unsigned char seed[SEED_SIZE];
    uint64_t quiet_from_ms; /* atomic: when the last guess is paid for */
    /* Logins are separate, so that many users do not displace the guesses. */
    struct place guesses[BUCKETS][WAYS], logins[BUCKETS][WAYS];
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

/*
 * Kinds of keys: guesses at a user from an address, guesses from an address, logins of a user from
 * an address.
 */
enum key_kind { KEY_GUESSES = 'u', KEY_ADDRESS = 'a', KEY_LOGIN = 'l' };

/* All users whose names are too long to log in share a key. */
static struct key make_key(const struct guess_limit *limit, enum key_kind kind, const char *address,
                           const void *user, size_t user_size)
{
    struct key key = {.per_minute = kind == KEY_ADDRESS ? limit->per_minute * ADDRESS_FACTOR
                                                        : limit->per_minute};
    unsigned char input[INPUT_MAX], *at = input;
    unsigned char digest[DIGEST_BYTES_MAX];

    memcpy(at, limit->seed, SEED_SIZE);
    at += SEED_SIZE;
    *at++ = (unsigned char)kind;
    client_network_of_text(address, at);
    at += CLIENT_NETWORK_SIZE;
    if (kind != KEY_ADDRESS && user_size <= (size_t)(input + sizeof(input) - at)) {
        memcpy(at, user, user_size);
        at += user_size;
    }
    digest_bytes_of(DIGEST_SHA256, input, (size_t)(at - input), digest);
    memcpy(&key.hash, digest, sizeof(key.hash));
    return key;
}

static uint64_t interval_of(const struct key *key)
{
    return MINUTE_MS / key->per_minute ? MINUTE_MS / key->per_minute : 1;
}

/* --- places ------------------------------------------------------------------------------ */

static struct place *find(struct place table[BUCKETS][WAYS], const struct key *key)
{
    struct place *places = table[key->hash % BUCKETS];

    for (size_t i = 0; i < WAYS; i++)
        if (places[i].key == key->hash)
            return &places[i];
    return NULL;
}

/* Replaces the key whose time passes first. */
static struct place *make_room(struct place table[BUCKETS][WAYS], const struct key *key)
{
    struct place *places = table[key->hash % BUCKETS], *first = &places[0];

    for (size_t i = 1; i < WAYS; i++)
        if (places[i].paid_until_ms < first->paid_until_ms)
            first = &places[i];
    *first = (struct place){.key = key->hash};
    return first;
}

static uint64_t wait_of(struct guess_limit *limit, const struct key *key, uint64_t now_ms)
{
    const struct place *place = find(limit->guesses, key);
    /*
     * All guesses of a minute may come at once; the next one has to wait until the first is paid
     * for.
     */
    uint64_t ahead = interval_of(key) * (key->per_minute - 1);

    return place && place->paid_until_ms > now_ms + ahead ? place->paid_until_ms - now_ms - ahead
                                                          : 0;
}

static void charge(struct guess_limit *limit, const struct key *key, uint64_t now_ms)
{
    uint64_t most_ms = now_ms + interval_of(key) * key->per_minute;
    struct place *place = find(limit->guesses, key);

    if (!place)
        place = make_room(limit->guesses, key);
    if (place->paid_until_ms < now_ms)
        place->paid_until_ms = now_ms;
    place->paid_until_ms += interval_of(key);
    /*
     * The debt is bounded, so a user who shares an address with an attacker waits at most one
     * interval.
     */
    if (place->paid_until_ms > most_ms)
        place->paid_until_ms = most_ms;
}

static bool is_quiet(const struct guess_limit *limit, uint64_t now_ms)
{
    return now_ms >= __atomic_load_n(&limit->quiet_from_ms, __ATOMIC_RELAXED);
}

uint64_t guess_limit_get_wait(struct guess_limit *limit, const char *address, const void *user,
                              size_t user_size, uint64_t now_ms)
{
    struct key guesses, of_address;
    uint64_t wait, wait_of_address;

    if (is_quiet(limit, now_ms))
        return 0;
    guesses = make_key(limit, KEY_GUESSES, address, user, user_size);
    of_address = make_key(limit, KEY_ADDRESS, address, NULL, 0);
    pthread_mutex_lock(&limit->lock);
    wait = wait_of(limit, &guesses, now_ms);
    wait_of_address = wait_of(limit, &of_address, now_ms);
    pthread_mutex_unlock(&limit->lock);
    return wait > wait_of_address ? wait : wait_of_address;
}

bool guess_limit_has_login(struct guess_limit *limit, const char *address, const void *user,
                           size_t user_size, uint64_t now_ms)
{
    struct key login = make_key(limit, KEY_LOGIN, address, user, user_size);
    const struct place *place;
    bool has_login;

    pthread_mutex_lock(&limit->lock);
    place = find(limit->logins, &login);
    has_login = place && place->paid_until_ms > now_ms;
    pthread_mutex_unlock(&limit->lock);
    return has_login;
}

void guess_limit_note_login(struct guess_limit *limit, const char *address, const void *user,
                            size_t user_size, uint64_t now_ms)
{
    struct key login = make_key(limit, KEY_LOGIN, address, user, user_size);
    struct place *place;

    pthread_mutex_lock(&limit->lock);
    place = find(limit->logins, &login);
    if (!place)
        place = make_room(limit->logins, &login);
    place->paid_until_ms = now_ms + LOGIN_MS;
    pthread_mutex_unlock(&limit->lock);
}

void guess_limit_count(struct guess_limit *limit, const char *address, const void *user,
                       size_t user_size, uint64_t now_ms)
{
    struct key guesses = make_key(limit, KEY_GUESSES, address, user, user_size);
    struct key of_address = make_key(limit, KEY_ADDRESS, address, NULL, 0);

    pthread_mutex_lock(&limit->lock);
    charge(limit, &guesses, now_ms);
    charge(limit, &of_address, now_ms);
    __atomic_store_n(&limit->quiet_from_ms, now_ms + 2 * MINUTE_MS, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&limit->lock);
}
