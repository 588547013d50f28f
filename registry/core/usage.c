#include "registry/core/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/digest-set.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"
#include "registry/core/usage-ledger.h"
#include "registry/spec/manifest.h"

static struct usage_ledger new_ledger(struct store *store, const struct usage_options *options)
{
    return (struct usage_ledger){
        .store = store, .progress = options->progress, .progress_object = options->progress_object};
}

int store_measure_repositories(struct store *store, const struct store_names *names,
                               const struct usage_options *options, struct usage *ret,
                               struct usage *ret_total, struct error *err)
{
    CLEANUP(usage_ledger_done) struct usage_ledger ledger = new_ledger(store, options);
    int r = usage_ledger_read(&ledger, names, err);

    for (size_t i = 0; i < names->count; i++)
        ret[i] = (struct usage){0};
    *ret_total = (struct usage){0};
    if (r == 0)
        usage_ledger_sum(&ledger, NULL, ret, ret_total);
    return r;
}

/* --- tags ------------------------------------------------------------------------------------ */

/*
 * A walk through what one tag leads to, level by level: the manifest, those that an index names,
 * and so on.
 */
struct walk {
    struct store *store;
    const char *name; /* of the repository; borrowed */
    struct digest_set seen;
    struct store_digests next; /* the manifests of the next level */
};

static void walk_done(struct walk *walk)
{
    digest_set_done(&walk->seen);
    store_digests_done(&walk->next);
}

/*
 * Records that the walk has seen an object. *ret_is_new tells whether it was new. digest is a
 * sha256.
 */
static int walk_see(struct walk *walk, const struct digest *digest, bool *ret_is_new,
                    struct error *err)
{
    struct digest_id id = digest_id_of(digest);

    *ret_is_new = !digest_set_has(&walk->seen, &id);
    if (!*ret_is_new)
        return 0;
    if (digest_set_add(&walk->seen, &id) < 0)
        return error_set_oom(err);
    return 0;
}

static int walk_blobs(struct walk *walk, const struct manifest *manifest, struct error *err)
{
    bool is_new;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < manifest->blobs.count; i++) {
        struct store_blob blob;

        r = store_find_blob(walk->store, walk->name, &manifest->blobs.items[i].digest,
                            STORE_MAY_WAIT, &blob, err);
        if (r == 0)
            r = walk_see(walk, &blob.canonical, &is_new, err);
    }
    return r < 0 ? r : 0;
}

/* Records a manifest. If the repository does not have it, *ret_is_new is false. */
static int walk_enter(struct walk *walk, const struct digest *digest, bool *ret_is_new,
                      struct error *err)
{
    struct digest canonical;
    int r = store_find_revision(walk->store, walk->name, digest, STORE_MAY_WAIT, &canonical, err);

    *ret_is_new = false;
    if (r == 0)
        r = walk_see(walk, &canonical, ret_is_new, err);
    return r < 0 ? r : 0;
}

/*
 * Reads a manifest; *ret_result is that of store_get_manifest(). If the manifest is missing or
 * unreadable, *ret stays empty, which is not a failure.
 */
static int walk_read(struct walk *walk, const struct digest *digest, struct store_content *ret,
                     int *ret_result, struct error *err)
{
    struct error why = {0};

    *ret_result = store_get_manifest(walk->store, walk->name, digest, STORE_MAY_WAIT, ret, &why);
    return *ret_result == -ENOMEM ? error_set_oom(err) : 0;
}

/* A manifest without content, or one that only registry:2 can parse, names nothing. */
static int walk_names(struct walk *walk, const struct store_content *content, struct error *err)
{
    struct manifest manifest;
    struct error why = {0};
    int r;

    if (!content->bytes)
        return 0;
    r = manifest_parse(content->media_type, content->bytes, content->size, &manifest, &why);
    if (r < 0)
        return r == -ENOMEM ? error_set_oom(err) : 0;
    r = walk_blobs(walk, &manifest, err);
    for (size_t i = 0; r == 0 && i < manifest.manifests.count; i++)
        if (store_digests_add(&walk->next, &manifest.manifests.items[i].digest) < 0)
            r = error_set_oom(err);
    manifest_done(&manifest);
    return r;
}

static int walk_child(struct walk *walk, const struct digest *digest, struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    bool is_new;
    int r = walk_enter(walk, digest, &is_new, err), result;

    if (r == 0 && is_new)
        r = walk_read(walk, digest, &content, &result, err);
    return r == 0 && is_new ? walk_names(walk, &content, err) : r;
}

static int walk_levels(struct walk *walk, struct error *err)
{
    int r = 0;

    while (r == 0 && walk->next.count > 0) {
        CLEANUP(store_digests_done) struct store_digests level = walk->next;

        walk->next = (struct store_digests){0};
        store_digests_sort(&level);
        digest_set_sort(&walk->seen);
        for (size_t i = 0; r == 0 && i < level.count; i++)
            r = walk_child(walk, &level.items[i], err);
    }
    digest_set_sort(&walk->seen);
    return r;
}

/* A measurement of tags: the caller's function, and where the sizes are gathered. */
struct tags_job {
    struct usage_ledger *ledger;
    const char *name; /* of the repository */
    const struct usage_options *options;
};

static int add_tag(const struct tags_job *job, const char *text, size_t index, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {.store = job->ledger->store, .name = job->name};
    CLEANUP(store_content_done) struct store_content content = {0};
    struct usage_tag tag = {.index = index, .content = &content};
    bool is_new;
    int r = store_resolve_tag(walk.store, job->name, text, STORE_MAY_WAIT, &tag.digest, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = walk_read(&walk, &tag.digest, &content, &tag.result, err);
    if (r == 0)
        r = walk_enter(&walk, &tag.digest, &is_new, err);
    if (r == 0)
        r = walk_names(&walk, &content, err);
    if (r == 0 && job->options->visit)
        r = job->options->visit(job->options->object, &tag, err);
    if (r == 0)
        r = walk_levels(&walk, err);
    for (size_t i = 0; r == 0 && i < walk.seen.count; i++)
        r = usage_ledger_add(job->ledger, &walk.seen.items[i], index, err);
    return r;
}

/* Adds what no tag names to one more owner. */
static int add_rest(struct usage_ledger *ledger, const char *name, size_t owner, struct error *err)
{
    CLEANUP(digest_set_done) struct digest_set objects = {0};
    int r = usage_gather_repository(ledger->store, name, &objects, err);

    /* The ledger is sorted; what is added comes after what is searched. */
    for (size_t i = 0, tagged = ledger->count; r == 0 && i < objects.count; i++)
        if (!usage_ledger_find(ledger, tagged, &objects.items[i]))
            r = usage_ledger_add(ledger, &objects.items[i], owner, err);
    return r;
}

int store_measure_tags(struct store *store, const char *name, const struct store_names *tags,
                       const struct usage_options *options, struct usage *ret,
                       struct usage *ret_rest, struct usage *ret_total, struct error *err)
{
    CLEANUP(usage_ledger_done) struct usage_ledger ledger = new_ledger(store, options);
    CLEANUP_FREE struct usage *usages = calloc(tags->count + 1, sizeof(*usages));
    const struct tags_job job = {&ledger, name, options};
    int r = usages ? 0 : error_set_oom(err);

    *ret_total = (struct usage){0};
    for (size_t i = 0; r == 0 && i < tags->count; i++) {
        usage_ledger_show(&ledger, "tags", i, tags->count);
        r = add_tag(&job, tags->items[i], i, err);
    }
    usage_ledger_tidy(&ledger);
    if (r == 0)
        r = add_rest(&ledger, name, tags->count, err);
    usage_ledger_tidy(&ledger);
    if (r == 0)
        r = usage_ledger_measure(&ledger, err);
    if (r < 0)
        return r;
    usage_ledger_sum(&ledger, NULL, usages, ret_total);
    memcpy(ret, usages, tags->count * sizeof(*ret));
    *ret_rest = usages[tags->count];
    return 0;
}
