/*
 * Removes everything that is not marked. Links are removed before what they lead to, so that an
 * interruption leaves no dangling link; the next collection removes the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/words.h"
#include "registry/core/collect-private.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"

static bool is_marked(const struct collection *collection, const struct digest *digest)
{
    struct digest_id id = digest_id_of(digest);

    return digest_set_has(&collection->marks, &id);
}

/* --- links to blobs -------------------------------------------------------------------------- */

/*
 * Finds the bytes that a link leads to. Returns 0 if they are not marked, 1 if they are, or
 * negative. A dangling link is its own witness.
 */
static int find_bytes(const struct collection *collection, const struct key *link,
                      const struct digest *digest, struct key *ret_data, struct error *err)
{
    struct digest canonical = *digest;
    int r = 0;

    if (digest->algorithm != DIGEST_SHA256)
        r = link_read(collection->store->storage, link, STORAGE_MAY_WAIT, &canonical, err);
    if (r < 0 && r != -EBADMSG)
        return r;
    if (r == 0 && canonical.algorithm == DIGEST_SHA256) {
        *ret_data = key_blob(&canonical);
        return is_marked(collection, &canonical);
    }
    *ret_data = *link;
    return 0;
}

static int sweep_links_of(struct collection *collection, const char *name,
                          enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    CLEANUP(sweep_batch_done) struct sweep_batch batch = {.collection = collection};
    struct key prefix = key_layers(name, algorithm);
    int r = store_list_digests(collection->store, &prefix, algorithm, &digests, err);

    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        struct key link = key_layer(name, &digests.items[i]),
                   key = key_layer_prefix(name, &digests.items[i]), data;

        r = find_bytes(collection, &link, &digests.items[i], &data, err);
        if (r == 0)
            r = sweep_batch_add(&batch, &key, &link, &data, err);
        if (r >= 0 && i % SWEEP_BATCH == 0)
            r = collect_pace(collection, err);
    }
    return r < 0 ? r : sweep_batch_flush(&batch, err);
}

static int sweep_links(struct collection *collection, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < collection->names.count; i++) {
        collect_show(collection, &(struct progress){.step = "removing links",
                                                    .unit = "repositories",
                                                    .done = i,
                                                    .total = collection->names.count});
        r = sweep_links_of(collection, collection->names.items[i], DIGEST_SHA256, err);
        if (r == 0)
            r = sweep_links_of(collection, collection->names.items[i], DIGEST_SHA512, err);
    }
    return r;
}

/* --- entries of the referrers' index --------------------------------------------------------- */

static int sweep_subject(struct collection *collection, const char *name,
                         const struct digest *subject, enum digest_algorithm algorithm,
                         struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests entries = {0};
    CLEANUP(sweep_batch_done) struct sweep_batch batch = {.collection = collection};
    struct key prefix = key_referrers(name, subject, algorithm);
    int r = store_list_digests(collection->store, &prefix, algorithm, &entries, err);

    for (size_t i = 0; r >= 0 && i < entries.count; i++) {
        struct key key = key_referrer_prefix(name, subject, &entries.items[i]);
        struct key link = key_referrer(name, subject, &entries.items[i]);
        struct digest ignored;

        r = store_find_revision(collection->store, name, &entries.items[i], STORE_MAY_WAIT,
                                &ignored, err);
        if (r == STORE_NOT_FOUND) /* removed, or not yet created if the entry is new */
            r = sweep_batch_add(&batch, &key, &link, NULL, err);
    }
    return r < 0 ? r : sweep_batch_flush(&batch, err);
}

static int sweep_subjects(struct collection *collection, const char *name,
                          enum digest_algorithm algorithm, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests subjects = {0};
    struct key prefix =
        key_in_repository(name, algorithm == DIGEST_SHA256 ? "_manifests/referrers/sha256/"
                                                           : "_manifests/referrers/sha512/");
    int r = store_list_digests(collection->store, &prefix, algorithm, &subjects, err);

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

/* The first two digits of a digest. */
enum { PREFIXES = 256 };

typedef int found_function(struct sweep_batch *batch, const struct digest *digest,
                           struct error *err);

struct search {
    struct collection *collection;
    size_t prefixes; /* that were searched: digests are spread evenly over them */
    enum digest_algorithm algorithm;
    found_function *found;
    const char *step; /* for the progress */
};

static int search_prefix(void *object, const struct key *prefix, struct error *err)
{
    struct search *search = object;
    struct collection *collection = search->collection;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    CLEANUP(sweep_batch_done) struct sweep_batch batch = {.collection = collection};
    int r = store_list_digests(collection->store, prefix, search->algorithm, &digests, err);

    collect_show(collection, &(struct progress){.step = search->step,
                                                .unit = "parts",
                                                .done = search->prefixes++,
                                                .total = PREFIXES});
    for (size_t i = 0; r == 0 && i < digests.count; i++)
        r = search->found(&batch, &digests.items[i], err);
    if (r == 0)
        r = collect_pace(collection, err);
    return r < 0 ? r : sweep_batch_flush(&batch, err);
}

/* Calls the function for all digests below KEY_BLOBS. */
static int for_each_blob(struct collection *collection, const char *step, found_function *found,
                         struct error *err)
{
    struct search search = {
        .collection = collection, .algorithm = DIGEST_SHA256, .found = found, .step = step};

    return store_for_each_prefix(collection->store, KEY_BLOBS, search_prefix, &search, err);
}

/* Calls the function for all digests below KEY_ALIASES. */
static int for_each_alias(struct collection *collection, found_function *found, struct error *err)
{
    struct search search = {.collection = collection,
                            .algorithm = DIGEST_SHA512,
                            .found = found,
                            .step = "removing aliases"};

    return store_for_each_prefix(collection->store, KEY_ALIASES, search_prefix, &search, err);
}

/* Whether a blob is to be removed: it is not marked and not recently used. 1 or 0, or negative. */
static int is_eligible(const struct collection *collection, const struct digest *digest,
                       struct error *err)
{
    struct key data = key_blob(digest);
    int r = is_marked(collection, digest) ? 1 : collect_is_used(collection, &data, err);

    return r < 0 ? r : r == 0;
}

static int count_blob(struct sweep_batch *batch, const struct digest *digest, struct error *err)
{
    int r = is_eligible(batch->collection, digest, err);

    batch->collection->result.blobs += r > 0;
    return r < 0 ? r : 0;
}

static int sweep_alias(struct sweep_batch *batch, const struct digest *digest, struct error *err)
{
    struct key link = key_alias(digest), prefix = key_blob_prefix(digest), data;
    int r = find_bytes(batch->collection, &link, digest, &data, err);

    return r == 0 ? sweep_batch_add(batch, &prefix, &link, &data, err) : r < 0 ? r : 0;
}

static int sweep_blob(struct sweep_batch *batch, const struct digest *digest, struct error *err)
{
    struct key prefix = key_blob_prefix(digest), data = key_blob(digest);
    struct storage_object object;
    int r = is_eligible(batch->collection, digest, err);

    if (r <= 0)
        return r;
    collect_say(batch->collection, "blob eligible for deletion: sha256:%s", digest->hex);
    r = storage_head(batch->collection->store->storage, data.text, STORAGE_MAY_WAIT, &object, err);
    if (r < 0)
        return r;
    batch->next_size = r == 0 ? object.size : 0;
    return sweep_batch_add(batch, &prefix, &data, NULL, err);
}

int collect_sweep(struct collection *collection, struct error *err)
{
    struct collect_result *result = &collection->result;
    int r = for_each_blob(collection, "counting", count_blob, err);

    if (r < 0)
        return r;
    result->marked = collection->marks.count;
    result->manifests = collection->doomed_count;
    collect_say(collection, "\n%zu %s marked, %zu %s and %zu %s eligible for deletion",
                result->marked, words_plural(result->marked, "blob", "blobs"), result->blobs,
                words_plural(result->blobs, "blob", "blobs"), result->manifests,
                words_plural(result->manifests, "manifest", "manifests"));
    r = collect_sweep_manifests(collection, err);
    if (r == 0)
        r = sweep_links(collection, err);
    if (r == 0)
        r = sweep_referrers(collection, err);
    if (r == 0)
        r = for_each_alias(collection, sweep_alias, err);
    return r < 0 ? r : for_each_blob(collection, "removing blobs", sweep_blob, err);
}
