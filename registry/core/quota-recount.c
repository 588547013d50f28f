/*
 * Recounts a quota. It first gathers the blobs of the repositories while pushes continue, which may
 * take long. Then it takes the claim and compares the records of counted blobs with these blobs. A
 * blob that was counted after the start stays, because its link may be new.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/claims.h"
#include "registry/core/digest-set.h"
#include "registry/core/lists.h"
#include "registry/core/quota-private.h"

enum { SIZE_TEXT_MAX = 32 };

struct recount {
    struct store *store;
    const struct store_quota *quota;
    const struct recount_options *options;
    int64_t began_s;
    struct digest_set blobs; /* the repositories' */
    uint64_t *sizes; /* of the blobs */
    uint64_t total;
};

static void recount_done(struct recount *recount)
{
    digest_set_done(&recount->blobs);
    free(recount->sizes);
}

static int take_pace(const struct recount *recount, struct error *err)
{
    const struct recount_options *options = recount->options;

    return options->pace ? options->pace(options->object, err) : 0;
}

static void tell_progress(const struct recount *recount, const char *step, const char *unit,
                          size_t done, size_t total)
{
    const struct recount_options *options = recount->options;

    if (options->progress)
        options->progress(
            options->progress_object,
            &(struct progress){.step = step, .unit = unit, .done = done, .total = total});
}

/* --- gathering ----------------------------------------------------------------------------- */

static bool has_part(const struct recount *recount, const char *name)
{
    struct store_quota quotas[QUOTAS_OF_ONE];
    size_t count = recount->store->find_quotas(recount->store->quotas_object, name, quotas);

    for (size_t i = 0; i < count; i++)
        if (strcmp(quotas[i].id, recount->quota->id) == 0)
            return true;
    return false;
}

static int gather_below(struct recount *recount, const struct key *prefix, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_list_digests(recount->store, prefix, DIGEST_SHA256, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++) {
        struct digest_id id = digest_id_of(&digests.items[i]);

        if (digest_set_add(&recount->blobs, &id) < 0)
            return error_set_oom(err);
    }
    return r < 0 ? r : take_pace(recount, err);
}

static int gather(struct recount *recount, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    int r = store_list_all(recount->store, STORE_WITH_CONTENT, &names, err);

    for (size_t i = 0; r == 0 && i < names.count; i++) {
        struct key layers = key_layers(names.items[i], DIGEST_SHA256),
                   revisions = key_revisions(names.items[i], DIGEST_SHA256);

        tell_progress(recount, "listing blobs", "repositories", i, names.count);
        if (!has_part(recount, names.items[i]))
            continue;
        r = gather_below(recount, &layers, err);
        if (r == 0)
            r = gather_below(recount, &revisions, err);
    }
    digest_set_sort(&recount->blobs);
    return r;
}

/* Missing bytes have size 0. */
static int find_size(const struct recount *recount, const struct digest *digest, uint64_t *ret,
                     struct error *err)
{
    struct key data = key_blob(digest);
    struct storage_object object;
    int r = storage_head(recount->store->storage, data.text, STORAGE_MAY_WAIT, &object, err);

    *ret = r == 0 ? object.size : 0;
    return r < 0 ? r : 0;
}

/* Records each blob that is not counted yet, and finds the sizes. */
static int note_blobs(struct recount *recount, struct error *err)
{
    struct storage *storage = recount->store->storage;
    int r = 0;

    recount->sizes = calloc(recount->blobs.count + 1, sizeof(*recount->sizes));
    if (!recount->sizes)
        return error_set_oom(err);
    for (size_t i = 0; r == 0 && i < recount->blobs.count; i++) {
        struct storage_object object;
        struct digest digest;
        struct key key;

        tell_progress(recount, "counting blobs", "blobs", i, recount->blobs.count);
        digest_id_format(&recount->blobs.items[i], &digest);
        key = key_counted_blob(recount->quota->id, digest.hex);
        r = find_size(recount, &digest, &recount->sizes[i], err);
        if (r == 0)
            r = storage_head(storage, key.text, STORAGE_MAY_WAIT, &object, err);
        if (r == STORAGE_NOT_FOUND)
            r = quota_note_blob(recount->store, recount->quota->id, digest.hex, recount->sizes[i],
                                err);
        if (r == 0)
            r = take_pace(recount, err);
    }
    return r;
}

/* --- settling, with the claim -------------------------------------------------------------- */

/* Reads the size of a blob that was counted recently, whose bytes may not be stored yet. */
static int read_size(const struct recount *recount, const struct key *key, uint64_t *ret,
                     struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;
    int r = storage_get(recount->store->storage, key->text, SIZE_TEXT_MAX, STORAGE_MAY_WAIT, &text,
                        &length, err);

    *ret = r == 0 ? strtoull(text, NULL, 10) : 0;
    return r < 0 ? r : 0;
}

/* Atomic, so that a concurrent push that relies on the record is not lost. */
static int remove_leftover(struct recount *recount, const struct digest *digest, struct error *err)
{
    struct key key = key_counted_blob(recount->quota->id, digest->hex);
    const char *const keys[] = {key.text};
    struct storage_removal removal = {
        .keys = keys, .key_count = 1, .witnesses = keys, .witness_count = 1};
    int64_t moment_s = recount->began_s - STORAGE_REFRESH_S - 1;
    uint64_t size;
    int r = storage_remove_unused(recount->store->storage, &removal, 1, moment_s, err);

    if (r < 0 || !removal.is_spared)
        return r;
    r = read_size(recount, &key, &size, err);
    if (r == 0)
        recount->total += size;
    return r;
}

static int settle_blob(struct recount *recount, const struct digest *digest, struct error *err)
{
    struct digest_id id = digest_id_of(digest);
    const struct digest_id *found = NULL;

    if (recount->blobs.count > 0)
        found =
            bsearch(&id, recount->blobs.items, recount->blobs.count, sizeof(id), digest_id_compare);
    if (!found)
        return remove_leftover(recount, digest, err);
    recount->total += recount->sizes[found - recount->blobs.items];
    return 0;
}

static int settle_prefix(void *object, const struct key *prefix, struct error *err)
{
    struct recount *recount = object;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_list_digests(recount->store, prefix, DIGEST_SHA256, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++)
        r = settle_blob(recount, &digests.items[i], err);
    return r;
}

static int settle(struct recount *recount, struct error *err)
{
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    struct key root = key_quota(recount->quota->id, QUOTA_BLOBS);
    int r = quota_claim(recount->store, recount->quota->id, &claim, err);

    if (r == 0)
        r = store_for_each_prefix(recount->store, root.text, settle_prefix, recount, err);
    return r < 0 ? r : quota_note_used(recount->store, recount->quota->id, recount->total, err);
}

int store_recount(struct store *store, const struct store_quota *quota,
                  const struct recount_options *options, uint64_t *ret, struct error *err)
{
    CLEANUP(recount_done)
    struct recount recount = {.store = store,
                              .quota = quota,
                              .options = options,
                              .began_s = storage_now(store->storage)};
    int r = 0;

    if (store_find_counted(store, quota->id) == 0)
        r = quota_note_counted(store, quota->id, 0, err); /* a claimed prefix must not be empty */
    if (r == 0)
        r = gather(&recount, err);
    if (r == 0)
        r = note_blobs(&recount, err);
    if (r == 0)
        r = settle(&recount, err);
    if (r == 0)
        r = quota_note_counted(store, quota->id, recount.began_s, err);
    if (r == 0)
        *ret = recount.total;
    return r;
}
