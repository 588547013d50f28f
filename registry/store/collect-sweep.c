/*
 * The sweep. Links go before what they lead to, so that at whatever point it is cut off nothing is
 * left that leads nowhere; the next collection finds the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/store/collect-private.h"

/* Keys are removed this many at a time, so that a folder is synced once for many. */
enum { BATCH = 256 };

static int flush(struct collection *collection, struct store_names *keys, struct error *err)
{
    struct driver *driver = collection->store->driver;
    int r = 0;

    if (keys->count && !collection->options->is_dry_run)
        r = driver->type->remove(driver, (const char *const *)keys->items, keys->count, err);
    store_names_done(keys);
    return r;
}

static int add_key(struct collection *collection, struct store_names *keys, const struct key *key, struct error *err)
{
    if (store_names_add(keys, key->text) < 0)
        return error_set_oom(err);
    return keys->count < BATCH ? 0 : flush(collection, keys, err);
}

/* --- manifests ------------------------------------------------------------------------------- */

static int sweep_manifests(struct collection *collection, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < collection->doomed_count; i++) {
        const struct doomed *doomed = &collection->doomed[i];
        struct digest digest;

        digest_id_format(&doomed->id, &digest);
        if (!collection->options->is_dry_run)
            r = store_remove_revision(collection->store, doomed->name, &digest, err);
    }
    return r;
}

static bool is_marked(const struct collection *collection, const struct digest *digest)
{
    struct digest_id id = digest_id_of(digest);

    return digest_set_has(&collection->marks, &id);
}

/* --- links to blobs -------------------------------------------------------------------------- */

/* Whether the link of a digest leads to what stays. 1 or 0, or negative. */
static int leads_to_marked(const struct collection *collection, const struct key *link, const struct digest *digest,
                           struct error *err)
{
    struct digest canonical = *digest;
    int r = 0;

    if (digest->algorithm != DIGEST_SHA256)
        r = link_read(collection->store->driver, link, &canonical, err);
    if (r < 0 && r != -EBADMSG)
        return r;
    return r == 0 && canonical.algorithm == DIGEST_SHA256 && is_marked(collection, &canonical);
}

static int sweep_links_of(struct collection *collection, const char *name, enum digest_algorithm algorithm,
                          struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    CLEANUP(store_names_done) struct store_names keys = {0};
    struct key folder = key_layers(name, algorithm);
    int r = store_list_digests(collection->store, &folder, algorithm, &digests, err);

    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_layer(name, &digests.items[i]), key = key_layer_folder(name, &digests.items[i]);

        r = leads_to_marked(collection, &link, &digests.items[i], err);
        if (r == 0)
            r = add_key(collection, &keys, &key, err);
    }
    return r < 0 ? r : flush(collection, &keys, err);
}

static int sweep_links(struct collection *collection, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < collection->names.count; i++) {
        r = sweep_links_of(collection, collection->names.items[i], DIGEST_SHA256, err);
        if (r == 0)
            r = sweep_links_of(collection, collection->names.items[i], DIGEST_SHA512, err);
    }
    return r;
}

/* --- entries of the referrers' index --------------------------------------------------------- */

static int sweep_subject(struct collection *collection, const char *name, const struct digest *subject,
                         enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests entries = {0};
    CLEANUP(store_names_done) struct store_names keys = {0};
    struct key folder = key_referrers(name, subject, algorithm);
    int r = store_list_digests(collection->store, &folder, algorithm, &entries, err);

    for (size_t i = 0; r >= 0 && i < entries.count; i++) {
        struct key key = key_referrer_folder(name, subject, &entries.items[i]);
        struct digest ignored;

        r = store_find_revision(collection->store, name, &entries.items[i], &ignored, err);
        if (r == STORE_NOT_FOUND)
            r = add_key(collection, &keys, &key, err);
    }
    return r < 0 ? r : flush(collection, &keys, err);
}

static int sweep_subjects(struct collection *collection, const char *name, enum digest_algorithm algorithm,
                          struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests subjects = {0};
    struct key folder = key_in_repository(name, algorithm == DIGEST_SHA256 ? "_manifests/referrers/sha256"
                                                                           : "_manifests/referrers/sha512");
    int r = store_list_digests(collection->store, &folder, algorithm, &subjects, err);

    for (size_t i = 0; r == 0 && i < subjects.count; i++) {
        r = sweep_subject(collection, name, &subjects.items[i], DIGEST_SHA256, err);
        if (r == 0)
            r = sweep_subject(collection, name, &subjects.items[i], DIGEST_SHA512, err);
    }
    return r;
}

static int sweep_referrers(struct collection *collection, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < collection->names.count; i++) {
        r = sweep_subjects(collection, collection->names.items[i], DIGEST_SHA256, err);
        if (r == 0)
            r = sweep_subjects(collection, collection->names.items[i], DIGEST_SHA512, err);
    }
    return r;
}

/* --- bytes ----------------------------------------------------------------------------------- */

typedef int found_function(struct collection *collection, struct store_names *keys, const struct digest *digest,
                           struct error *err);

struct search {
    struct collection *collection;
    enum digest_algorithm algorithm;
    found_function *found;
};

static int search_folder(void *object, const struct key *folder, struct error *err)
{
    const struct search *search = object;
    struct collection *collection = search->collection;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    CLEANUP(store_names_done) struct store_names keys = {0};
    int r = store_list_digests(collection->store, folder, search->algorithm, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++)
        r = search->found(collection, &keys, &digests.items[i], err);
    return r < 0 ? r : flush(collection, &keys, err);
}

/* Of all digests below KEY_BLOBS or KEY_ALIASES. */
static int for_each_digest(struct collection *collection, const char *root, enum digest_algorithm algorithm,
                           found_function *found, struct error *err)
{
    struct search search = {.collection = collection, .algorithm = algorithm, .found = found};

    return store_for_each_folder(collection->store, root, search_folder, &search, err);
}

static int count_blob(struct collection *collection, struct store_names *keys, const struct digest *digest,
                      struct error *err)
{
    (void)keys, (void)err;
    collection->result.blobs += !is_marked(collection, digest);
    return 0;
}

static int sweep_alias(struct collection *collection, struct store_names *keys, const struct digest *digest,
                       struct error *err)
{
    struct key link = key_alias(digest), folder = key_blob_folder(digest);
    int r = leads_to_marked(collection, &link, digest, err);

    return r == 0 ? add_key(collection, keys, &folder, err) : r < 0 ? r : 0;
}

static int sweep_blob(struct collection *collection, struct store_names *keys, const struct digest *digest,
                      struct error *err)
{
    struct key folder = key_blob_folder(digest);

    if (is_marked(collection, digest))
        return 0;
    collect_say(collection, "blob eligible for deletion: sha256:%s", digest->hex);
    return add_key(collection, keys, &folder, err);
}

int collect_sweep(struct collection *collection, struct error *err)
{
    struct collect_result *result = &collection->result;
    int r = for_each_digest(collection, KEY_BLOBS, DIGEST_SHA256, count_blob, err);

    if (r < 0)
        return r;
    result->marked = collection->marks.count;
    result->manifests = collection->doomed_count;
    collect_say(collection, "\n%zu blobs marked, %zu blobs and %zu manifests eligible for deletion", result->marked,
                result->blobs, result->manifests);
    r = sweep_manifests(collection, err);
    if (r == 0)
        r = sweep_links(collection, err);
    if (r == 0)
        r = sweep_referrers(collection, err);
    if (r == 0)
        r = for_each_digest(collection, KEY_ALIASES, DIGEST_SHA512, sweep_alias, err);
    return r < 0 ? r : for_each_digest(collection, KEY_BLOBS, DIGEST_SHA256, sweep_blob, err);
}
