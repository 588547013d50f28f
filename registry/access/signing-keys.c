/*
 * Manages the keys that sign access tokens. Key N is the object signing-N: a line with the time of
 * its creation, and the key in PEM. If several servers create a key at the same moment, they try to
 * create the same object; one of them succeeds, and all read that object.
 */
#include "registry/access/signing-keys.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/private-key.h"

#define NAME "signing-"

enum { NAME_SIZE = 32, LINE_MAX_SIZE = 40 };

/* The keys in force. A ring does not change. */
struct ring {
    unsigned references; /* protected by the lock of struct signing_keys */
    uint64_t generation; /* set when the ring is put in force */
    struct jwt_signer *signer;
    struct jwt_key_set *verifiers;
};

struct signing_keys {
    struct storage *storage;
    pthread_mutex_t lock; /* protects ring; held for a few instructions */
    struct ring *ring;
};

struct stored_key {
    uint32_t number;
    int64_t created_s;
    struct jwt_signer *signer;
};

struct stored_keys {
    struct stored_key *items; /* sorted by number */
    size_t count;
};

static void stored_keys_done(struct stored_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        jwt_signer_free(keys->items[i].signer);
    free(keys->items);
}

/* --- the ring ------------------------------------------------------------------------------ */

static void ring_free(struct ring *ring)
{
    if (!ring)
        return;
    jwt_signer_free(ring->signer);
    jwt_key_set_unref(ring->verifiers);
    free(ring);
}

static struct ring *ring_get(struct signing_keys *keys)
{
    struct ring *ring;

    pthread_mutex_lock(&keys->lock);
    ring = keys->ring;
    ring->references++;
    pthread_mutex_unlock(&keys->lock);
    return ring;
}

static void ring_put(struct signing_keys *keys, struct ring *ring)
{
    bool is_last;

    if (!ring)
        return;
    pthread_mutex_lock(&keys->lock);
    is_last = --ring->references == 0;
    pthread_mutex_unlock(&keys->lock);
    if (is_last)
        ring_free(ring);
}

static bool has_verifier(const struct ring *ring, const struct jwt_key *key)
{
    for (size_t i = 0; i < jwt_key_set_count(ring->verifiers); i++)
        if (jwt_key_is_equal(jwt_key_set_get(ring->verifiers, i), key))
            return true;
    return false;
}

static bool accepts_all_of(const struct ring *ring, const struct ring *before)
{
    for (size_t i = 0; i < jwt_key_set_count(before->verifiers); i++)
        if (!has_verifier(ring, jwt_key_set_get(before->verifiers, i)))
            return false;
    return true;
}

static void ring_replace(struct signing_keys *keys, struct ring *ring)
{
    struct ring *before;

    ring->references = 1;
    pthread_mutex_lock(&keys->lock);
    before = keys->ring;
    if (before)
        ring->generation = before->generation + !accepts_all_of(ring, before);
    keys->ring = ring;
    pthread_mutex_unlock(&keys->lock);
    ring_put(keys, before);
}

/* --- objects ------------------------------------------------------------------------------- */

static void format_name(uint32_t number, char ret_name[NAME_SIZE])
{
    snprintf(ret_name, NAME_SIZE, NAME "%" PRIu32, number);
}

/* Returns the number in a name, 0 for another name. */
static uint32_t parse_name(const char *name)
{
    char again[NAME_SIZE];
    unsigned long number;

    if (strncmp(name, NAME, strlen(NAME)) != 0)
        return 0;
    number = strtoul(name + strlen(NAME), NULL, 10);
    if (number == 0 || number > UINT32_MAX)
        return 0;
    format_name((uint32_t)number, again);
    return strcmp(again, name) == 0 ? (uint32_t)number : 0;
}

/* Creates the object of a new key. 0, STORAGE_CONFLICT or negative. */
static int create_key(struct storage *storage, uint32_t number, struct error *err)
{
    CLEANUP(jwt_signer_freep) struct jwt_signer *signer = NULL;
    CLEANUP(secbuf_done) struct secbuf text = {0};
    char name[NAME_SIZE], line[LINE_MAX_SIZE];
    int r = jwt_signer_generate(JWT_EDDSA, &signer, err);

    if (r < 0)
        return r;
    format_name(number, name);
    snprintf(line, sizeof(line), "created %" PRId64 "\n", storage_now(storage));
    if (secbuf_append(&text, line, strlen(line)) < 0)
        return error_set_oom(err);
    r = jwt_signer_export(signer, &text, err);
    return r < 0 ? r : private_key_create(storage, name, &text, err);
}

static int parse_key(const struct secbuf *text, struct stored_key *ret, struct error *err)
{
    static const char start[] = "created ";
    const unsigned char *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
    CLEANUP(secbuf_done) struct secbuf pem = {0};
    char line[LINE_MAX_SIZE];
    size_t size = end ? (size_t)(end - text->data) : 0;

    if (size == 0 || size >= sizeof(line))
        return error_set(err, EBADMSG, "has no line with its time");
    memcpy(line, text->data, size);
    line[size] = '\0';
    if (strncmp(line, start, strlen(start)) != 0)
        return error_set(err, EBADMSG, "has no line with its time");
    ret->created_s = strtoll(line + strlen(start), NULL, 10);
    if (secbuf_append(&pem, end + 1, text->size - size - 1) < 0)
        return error_set_oom(err);
    return jwt_signer_import(&pem, &ret->signer, err);
}

/* Reads a key. 0, STORAGE_NOT_FOUND if another server has removed it, or negative. */
static int read_key(struct storage *storage, uint32_t number, struct stored_key *ret,
                    struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    char name[NAME_SIZE];
    int r;

    format_name(number, name);
    r = private_key_read(storage, name, &text, err);
    if (r != 0)
        return r;
    *ret = (struct stored_key){.number = number};
    r = parse_key(&text, ret, err);
    return r < 0 ? error_wrap(err, PRIVATE_KEYS "%s is damaged; remove it", name) : 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct stored_key *one = a, *other = b;

    return one->number < other->number ? -1 : one->number > other->number;
}

static int read_keys(struct storage *storage, struct stored_keys *ret, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(storage, PRIVATE_KEYS, NULL, JWT_KEYS_MAX, &list, err);

    if (r < 0)
        return r;
    ret->items = calloc(list.count + 1, sizeof(*ret->items));
    if (!ret->items)
        return error_set_oom(err);
    for (size_t i = 0; r >= 0 && i < list.count; i++) {
        uint32_t number = parse_name(list.entries[i]->name);

        if (number == 0)
            continue;
        r = read_key(storage, number, &ret->items[ret->count], err);
        ret->count += r == 0;
    }
    if (ret->count > 0)
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_numbers);
    return r < 0 ? r : 0;
}

/* --- which key does what -------------------------------------------------------------------- */

static bool may_sign(const struct stored_keys *stored, size_t i, int64_t now_s)
{
    return i == 0 || stored->items[i].created_s + SIGNING_KEYS_SPREAD_S <= now_s;
}

static bool may_verify(const struct stored_keys *stored, size_t i, int64_t now_s)
{
    return i + 1 == stored->count ||
           now_s < stored->items[i + 1].created_s + SIGNING_KEYS_SPREAD_S + SIGNING_KEYS_OVERLAP_S;
}

static int add_verifier(struct ring *ring, const struct jwt_signer *signer)
{
    struct jwt_key *key;
    int r = jwt_signer_get_key(signer, &key);

    return r < 0 ? r : jwt_key_set_add(ring->verifiers, key);
}

static int make_ring(struct stored_keys *stored, int64_t now_s, struct ring **ret)
{
    struct ring *ring = calloc(1, sizeof(*ring));
    size_t signer = 0;
    int r = ring ? jwt_key_set_new(&ring->verifiers) : -ENOMEM;

    for (size_t i = 0; r == 0 && i < stored->count; i++) {
        if (may_sign(stored, i, now_s))
            signer = i;
        if (may_verify(stored, i, now_s))
            r = add_verifier(ring, stored->items[i].signer);
    }
    if (r < 0) {
        ring_free(ring);
        return r;
    }
    ring->signer = steal_ptr(&stored->items[signer].signer);
    *ret = ring;
    return 0;
}

/* Removes a key. 0, also if another server has removed it, or negative. */
static int remove_key(struct storage *storage, uint32_t number, struct error *err)
{
    char name[NAME_SIZE], key[sizeof(PRIVATE_KEYS) + NAME_SIZE];
    const char *keys[] = {key};

    format_name(number, name);
    snprintf(key, sizeof(key), PRIVATE_KEYS "%s", name);
    return storage_remove(storage, keys, 1, err);
}

/* If a key cannot be removed, the next refresh tries again. */
static void remove_old(struct storage *storage, const struct stored_keys *stored, int64_t now_s)
{
    struct error err = {0};

    for (size_t i = 0; i + 1 < stored->count; i++)
        if (!may_verify(stored, i, now_s) && remove_key(storage, stored->items[i].number, &err) < 0)
            return;
}

/* --- the outside --------------------------------------------------------------------------- */

static int use_keys(struct signing_keys *keys, struct stored_keys *stored, struct error *err)
{
    int64_t now_s = storage_now(keys->storage);
    struct ring *ring;

    if (make_ring(stored, now_s, &ring) < 0)
        return error_set_oom(err);
    ring_replace(keys, ring);
    remove_old(keys->storage, stored, now_s);
    return 0;
}

/* Reads the keys. If there is none, or the last one is too old, makes the next one. */
static int read_or_make(struct signing_keys *keys, struct stored_keys *ret, struct error *err)
{
    int r = read_keys(keys->storage, ret, err);
    uint32_t last;

    if (r < 0)
        return r;
    last = ret->count > 0 ? ret->items[ret->count - 1].number : 0;
    if (last > 0 &&
        storage_now(keys->storage) < ret->items[ret->count - 1].created_s + SIGNING_KEYS_LIFE_S)
        return 0;
    r = create_key(keys->storage, last + 1, err);
    if (r < 0)
        return last > 0 ? 0 : r; /* if the storage is full, the old key must stay in force */
    stored_keys_done(ret);
    *ret = (struct stored_keys){0};
    return read_keys(keys->storage, ret, err);
}

int signing_keys_refresh(struct signing_keys *keys, struct error *err)
{
    CLEANUP(stored_keys_done) struct stored_keys stored = {0};
    int r = read_or_make(keys, &stored, err);

    if (r < 0)
        return r;
    if (stored.count == 0)
        return error_set(err, ENOENT, "the keys below " PRIVATE_KEYS " were removed a moment ago");
    return use_keys(keys, &stored, err);
}

int signing_keys_rotate(struct signing_keys *keys, struct error *err)
{
    CLEANUP(stored_keys_done) struct stored_keys stored = {0};
    int r = read_keys(keys->storage, &stored, err);

    if (r < 0)
        return r;
    r = create_key(keys->storage, stored.count > 0 ? stored.items[stored.count - 1].number + 1 : 1,
                   err);
    return r < 0 ? r : signing_keys_refresh(keys, err);
}

/* The new key is written first, so that there is always a key. */
int signing_keys_distrust(struct signing_keys *keys, struct error *err)
{
    CLEANUP(stored_keys_done) struct stored_keys stored = {0};
    int r = signing_keys_rotate(keys, err);

    if (r == 0)
        r = read_keys(keys->storage, &stored, err);
    for (size_t i = 0; r == 0 && i + 1 < stored.count; i++)
        r = remove_key(keys->storage, stored.items[i].number, err);
    return r < 0 ? r : signing_keys_refresh(keys, err);
}

uint64_t signing_keys_get_generation(struct signing_keys *keys)
{
    uint64_t generation;

    pthread_mutex_lock(&keys->lock);
    generation = keys->ring->generation;
    pthread_mutex_unlock(&keys->lock);
    return generation;
}

int signing_keys_open(struct storage *storage, struct signing_keys **ret, struct error *err)
{
    struct signing_keys *keys = calloc(1, sizeof(*keys));
    int r;

    if (!keys)
        return error_set_oom(err);
    keys->storage = storage;
    pthread_mutex_init(&keys->lock, NULL);
    r = signing_keys_refresh(keys, err);
    if (r < 0) {
        signing_keys_close(keys);
        return r;
    }
    *ret = keys;
    return 0;
}

void signing_keys_close(struct signing_keys *keys)
{
    if (!keys)
        return;
    ring_put(keys, keys->ring);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

int signing_keys_sign(struct signing_keys *keys, const void *claims, size_t size,
                      struct secbuf *ret_token)
{
    struct ring *ring = ring_get(keys);
    int r = jwt_sign(ring->signer, "JWT", claims, size, ret_token);

    ring_put(keys, ring);
    return r;
}

int signing_keys_verify(struct signing_keys *keys, struct jwt *token)
{
    struct ring *ring = ring_get(keys);
    int r = jwt_verify(token, ring->verifiers, JWT_BIT(JWT_EDDSA));

    ring_put(keys, ring);
    return r;
}
