/*
 * Which manifests name another one as their subject. registry:2 knows nothing of that, so manifests that it was pushed
 * while it served the storage are looked for once.
 */
#include <errno.h>
#include <string.h>

#include "registry/spec/manifest.h"
#include "registry/core/store-private.h"

/* --- bringing the index up to date --------------------------------------------------------- */

/* How many entries are written at a time. */
enum { BATCH = 64 };

struct indexing {
    struct store *store;
    const char *name;
    struct key keys[BATCH];
    char texts[BATCH][DIGEST_TEXT_SIZE];
    struct storage_step steps[BATCH];
    size_t count;
};

static int write_batch(struct indexing *indexing, struct error *err)
{
    int r = indexing->count ? storage_write(indexing->store->storage, indexing->steps, indexing->count, err) : 0;

    indexing->count = 0;
    return r;
}

static int add_entry(struct indexing *indexing, const struct digest *subject, const struct digest *digest,
                     struct error *err)
{
    struct key *key = &indexing->keys[indexing->count];
    char *text = indexing->texts[indexing->count];
    struct storage_object object;
    int r;

    *key = key_referrer(indexing->name, subject, digest);
    r = storage_head(indexing->store->storage, key->text, STORAGE_MAY_WAIT, &object, err);
    if (r != STORAGE_NOT_FOUND)
        return r;
    digest_format(digest, text);
    indexing->steps[indexing->count++] =
        (struct storage_step){.kind = STORAGE_PUT, .key = key->text, .data = text, .size = strlen(text)};
    return indexing->count == BATCH ? write_batch(indexing, err) : 0;
}

/* What cannot be parsed as a manifest has no subject. */
static int index_one(struct indexing *indexing, const struct digest *digest, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    CLEANUP(store_content_done) struct store_content content = {0};
    struct error ignored;
    int r = store_get_manifest(indexing->store, indexing->name, digest, STORE_MAY_WAIT, &content, err);

    if (r == -EBADMSG) /* one that is damaged does not keep the others from being found */
        return 0;
    if (r != 0)
        return r < 0 ? r : 0;
    if (manifest_parse(content.media_type, content.bytes, content.size, &manifest, &ignored) < 0 ||
        !manifest.has_subject)
        return 0;
    return add_entry(indexing, &manifest.subject, digest, err);
}

/* A manifest with a sha512 digest was pushed by it, and is listed by it. */
static int index_all(struct indexing *indexing, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests aliases = {0};
    CLEANUP(store_digests_done) struct store_digests canonicals = {0};
    CLEANUP(store_digests_done) struct store_digests revisions = {0};
    struct key prefix = key_revisions(indexing->name, DIGEST_SHA256);
    int r = store_list_aliases(indexing->store, indexing->name, &aliases, &canonicals, err);

    if (r == 0)
        r = store_list_digests(indexing->store, &prefix, DIGEST_SHA256, &revisions, err);
    store_digests_sort(&canonicals);
    for (size_t i = 0; r == 0 && i < revisions.count; i++) {
        if (!store_digests_has(&canonicals, &revisions.items[i]))
            r = index_one(indexing, &revisions.items[i], err);
    }
    for (size_t i = 0; r == 0 && i < aliases.count; i++)
        r = index_one(indexing, &aliases.items[i], err);
    return r < 0 ? r : write_batch(indexing, err);
}

int store_index_referrers(struct store *store, const char *name, struct error *err)
{
    CLEANUP_FREE struct indexing *indexing = NULL;
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    int r;

    if (name_set_has(store->indexed, name))
        return 0;
    indexing = calloc(1, sizeof(*indexing));
    if (!indexing)
        return error_set_oom(err);
    indexing->store = store;
    indexing->name = name;
    r = store_claim(store, name, STORAGE_SHARED, &claim, err);
    if (r == 0)
        r = index_all(indexing, err);
    if (r == 0)
        name_set_add(store->indexed, name);
    return r;
}

/* --- listing ------------------------------------------------------------------------------- */

/* An entry is written before its manifest and removed after it; only entries with a manifest are listed. */
static int add_present(struct store *store, const char *name, const struct store_digests *entries,
                       struct store_digests *digests, struct error *err)
{
    for (size_t i = 0; i < entries->count; i++) {
        struct digest canonical;
        int r = store_find_revision(store, name, &entries->items[i], STORE_MAY_WAIT, &canonical, err);

        if (r < 0)
            return r;
        if (r == 0 && store_digests_add(digests, &entries->items[i]) < 0)
            return error_set_oom(err);
    }
    return 0;
}

int store_list_referrers(struct store *store, const char *name, const struct digest *subject,
                         struct store_digests *ret, struct error *err)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_index_referrers(store, name, err);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
        CLEANUP(store_digests_done) struct store_digests entries = {0};
        struct key prefix = key_referrers(name, subject, algorithms[i]);

        r = store_list_digests(store, &prefix, algorithms[i], &entries, err);
        if (r == 0)
            r = add_present(store, name, &entries, &digests, err);
    }
    if (r < 0)
        return r;
    *ret = digests;
    digests = (struct store_digests){0};
    return 0;
}
