#include "registry/core/quota.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/words.h"
#include "registry/core/claims.h"
#include "registry/core/quota-private.h"
#include "registry/core/records.h"

enum { CLAIM_PATIENCE_MS = 20000 };

void store_set_quotas(struct store *store, quota_finder *find, void *object)
{
    store->find_quotas = find;
    store->quotas_object = object;
}

static size_t find_quotas(const struct store *store, const char *name,
                          struct store_quota ret[QUOTAS_OF_ONE])
{
    return store->find_quotas ? store->find_quotas(store->quotas_object, name, ret) : 0;
}

/* --- the state ----------------------------------------------------------------------------- */

struct key key_quota(const char *id, const char *path)
{
    struct key key;

    snprintf(key.text, sizeof(key.text), KEY_RECORDS "quotas/%s/%s", id, path);
    return key;
}

struct key key_counted_blob(const char *id, const char *hex)
{
    struct key key;

    snprintf(key.text, sizeof(key.text), KEY_RECORDS "quotas/%s/" QUOTA_BLOBS "%.2s/%s", id, hex,
             hex);
    return key;
}

static void format_path(const char *id, const char *name, char ret_path[RECORD_PATH_MAX])
{
    snprintf(ret_path, RECORD_PATH_MAX, "quotas/%s/%s", id, name);
}

int store_find_used(struct store *store, const char *id, uint64_t *ret, struct error *err)
{
    char path[RECORD_PATH_MAX];
    int64_t used;
    int r;

    format_path(id, "used", path);
    r = store_read_number(store, path, &used, err);
    if (r == 0 && used < 0)
        return STORE_NOT_FOUND;
    if (r == 0)
        *ret = (uint64_t)used;
    return r;
}

int quota_note_used(struct store *store, const char *id, uint64_t used, struct error *err)
{
    struct key key = key_quota(id, "used");
    char text[32];
    int size = snprintf(text, sizeof(text), "%" PRIu64 "\n", used);
    /* STORAGE_PUT, not a note: a reader may find a note empty while it is written. */
    const struct storage_step step = {
        .kind = STORAGE_PUT, .key = key.text, .data = text, .size = (size_t)size};

    return storage_write(store->storage, &step, 1, err);
}

int quota_note_blob(struct store *store, const char *id, const char *hex, uint64_t size,
                    struct error *err)
{
    struct key key = key_counted_blob(id, hex);
    char text[32];
    int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", size);

    return storage_note(store->storage, key.text, text, (size_t)length, err);
}

int64_t store_find_counted(struct store *store, const char *id)
{
    char path[RECORD_PATH_MAX];
    struct error ignored;
    int64_t counted_s;

    format_path(id, "counted", path);
    return store_read_number(store, path, &counted_s, &ignored) == 0 ? counted_s : 0;
}

int quota_note_counted(struct store *store, const char *id, int64_t counted_s, struct error *err)
{
    char path[RECORD_PATH_MAX];

    format_path(id, "counted", path);
    return store_note_number(store, path, counted_s, err);
}

int64_t store_find_collected(struct store *store)
{
    struct error ignored;
    int64_t collected_s;

    return store_read_number(store, QUOTA_COLLECTED, &collected_s, &ignored) == 0 ? collected_s : 0;
}

int quota_claim(struct store *store, const char *id, struct storage_claim **ret, struct error *err)
{
    struct key prefix = key_quota(id, "");
    int r = storage_claim(store->storage, prefix.text, STORAGE_EXCLUSIVE, CLAIM_PATIENCE_MS, ret, err);

    return r <= 0 ? r : error_set(err, EAGAIN, "other requests hold a quota for too long");
}

/* --- room ---------------------------------------------------------------------------------- */

static void set_words(const struct store_quota *quota, uint64_t used, uint64_t wanted,
                      struct error *err)
{
    char limit[WORDS_SIZE_MAX], in_use[WORDS_SIZE_MAX], more[WORDS_SIZE_MAX];

    error_set(err, EDQUOT, "the quota of %s is %s: %s are in use, and this needs %s more",
              quota->label, words_bytes(quota->limit, limit), words_bytes(used, in_use),
              words_bytes(wanted, more));
}

int store_find_room(struct store *store, const char *name, uint64_t wanted, uint64_t *ret_room,
                    struct error *err)
{
    struct store_quota quotas[QUOTAS_OF_ONE];
    size_t count = find_quotas(store, name, quotas);
    uint64_t room = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        uint64_t used = 0, left;
        int r = store_find_used(store, quotas[i].id, &used, err);

        if (r < 0)
            return r;
        left = used < quotas[i].limit ? quotas[i].limit - used : 0;
        if (r != 0 || left >= room)
            continue;
        room = left;
        if (room < wanted)
            set_words(&quotas[i], used, wanted, err);
    }
    *ret_room = room;
    return 0;
}

/*
 * Also refreshes the object, so that a concurrent recount does not remove it. 1 or 0, or negative.
 */
static int is_counted(struct store *store, const struct store_quota *quota, const char *hex,
                      struct error *err)
{
    struct key key = key_counted_blob(quota->id, hex);
    struct storage_object object;
    int r = store_refresh(store, key.text, STORE_MAY_WAIT, &object, err);

    return r < 0 ? r : r == 0;
}

int store_is_counted(struct store *store, const char *name, const struct digest *digest,
                     struct error *err)
{
    struct store_quota quotas[QUOTAS_OF_ONE];
    size_t count = find_quotas(store, name, quotas);
    int r = 1;

    if (digest->algorithm != DIGEST_SHA256)
        return 0;
    for (size_t i = 0; r > 0 && i < count; i++)
        r = is_counted(store, &quotas[i], digest->hex, err);
    return r;
}

/* --- counting ------------------------------------------------------------------------------ */

/*
 * Call it with the claim. Adds the bytes before the blob: after a crash in between, the quota
 * counts too much until the next recount.
 */
static int add_blob(struct store *store, const struct store_quota *quota, const char *hex,
                    uint64_t size, struct error *err)
{
    uint64_t used = 0;
    int r = is_counted(store, quota, hex, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = store_find_used(store, quota->id, &used, err);
    if (r < 0)
        return r;
    if (r == 0 && (used > quota->limit || size > quota->limit - used)) {
        set_words(quota, used, size, err);
        return STORE_OVER_QUOTA;
    }
    r = r == 0 ? quota_note_used(store, quota->id, used + size, err) : 0;
    return r < 0 ? r : quota_note_blob(store, quota->id, hex, size, err);
}

static int charge(struct store *store, const struct store_quota *quota, const char *hex,
                  uint64_t size, struct error *err)
{
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    uint64_t used;
    int r = is_counted(store, quota, hex, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = store_find_used(store, quota->id, &used, err);
    /* not counted yet: nothing is refused, and the first count will include the blob */
    if (r == STORE_NOT_FOUND)
        return quota_note_blob(store, quota->id, hex, size, err);
    if (r < 0)
        return r;
    r = quota_claim(store, quota->id, &claim, err);
    return r < 0 ? r : add_blob(store, quota, hex, size, err);
}

int quota_charge(struct store *store, const char *name, const struct digest *canonical,
                 uint64_t size, struct error *err)
{
    struct store_quota quotas[QUOTAS_OF_ONE];
    size_t count = find_quotas(store, name, quotas);
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = charge(store, &quotas[i], canonical->hex, size, err);
    return r;
}
