/*
 * What a repository has only in the destination: mostly tags and manifests that were deleted at the
 * source after they were copied. A collection in the destination removes their bytes later.
 */
#include <string.h>

#include "registry/core/claims.h"
#include "registry/core/copy-repository.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"
#include "registry/core/tag-names.h"
#include "registry/spec/manifest.h"

enum { REMOVED_AT_ONCE = 100 };

struct surplus {
    const struct copy *copy;
    const char *name;
    struct store_names keys; /* to remove, in this order */
    uint64_t count;          /* of tags, manifests and links to blobs */
    bool is_kept;            /* something of it was pushed to the source meanwhile */
};

static void surplus_done(struct surplus *surplus)
{
    store_names_done(&surplus->keys);
}

static int add_key(struct surplus *surplus, const struct key *key, struct error *err)
{
    return store_names_add(&surplus->keys, key->text) < 0 ? error_set_oom(err) : 0;
}

/*
 * Adds what a key stands for, unless the source has the link now. A directory without the link,
 * which a crash has left, does not count. 1 if it was added.
 */
static int add_surplus(struct surplus *surplus, const struct key *link, const struct key *key,
                       struct error *err)
{
    struct storage_object object;
    int r = storage_head(surplus->copy->from->storage, link->text, STORAGE_MAY_WAIT, &object, err);

    surplus->is_kept = surplus->is_kept || r == 0;
    if (r != STORAGE_NOT_FOUND)
        return r;
    r = copy_has_link(surplus->copy->to, link, err);
    if (r < 0)
        return r;
    surplus->count += r > 0;
    r = add_key(surplus, key, err);
    return r < 0 ? r : 1;
}

static bool has_name(const struct storage_list *list, const char *name)
{
    for (size_t low = 0, high = list->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->entries[middle]->name, name);

        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int add_tags(struct surplus *surplus, const struct copy_content *there,
                    const struct copy_content *here, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < there->tags.count; i++) {
        const char *tag = there->tags.entries[i]->name;
        struct key link = key_tag_current(surplus->name, tag);
        struct key prefix = key_tag_prefix(surplus->name, tag);
        struct key pushed = key_pushed_tag(surplus->name, tag);

        if (has_name(&here->tags, tag))
            continue;
        r = add_surplus(surplus, &link, &prefix, err);
        if (r > 0)
            r = add_key(surplus, &pushed, err);
    }
    return r < 0 ? r : 0;
}

/* The entry in the referrers index goes with the manifest. */
static int add_referrer(struct surplus *surplus, const struct digest *digest, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error ignored;
    struct key key;

    if (store_parse_manifest(surplus->copy->to, surplus->name, digest, &manifest, &ignored) != 0 ||
        !manifest.has_subject)
        return 0;
    key = key_referrer_prefix(surplus->name, &manifest.subject, digest);
    return add_key(surplus, &key, err);
}

static int add_revisions(struct surplus *surplus, const struct store_digests *there,
                         const struct store_digests *here, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < there->count; i++) {
        const struct digest *digest = &there->items[i];
        struct key link = key_revision(surplus->name, digest, "link");
        struct key prefix = key_revision(surplus->name, digest, "");

        if (store_digests_has(here, digest))
            continue;
        r = add_surplus(surplus, &link, &prefix, err);
        if (r > 0)
            r = add_referrer(surplus, digest, err);
    }
    return r < 0 ? r : 0;
}

static int add_layers(struct surplus *surplus, const struct store_digests *there,
                      const struct store_digests *here, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < there->count; i++) {
        const struct digest *digest = &there->items[i];
        struct key link = key_layer(surplus->name, digest);
        struct key prefix = key_layer_prefix(surplus->name, digest);

        if (!store_digests_has(here, digest))
            r = add_surplus(surplus, &link, &prefix, err);
    }
    return r < 0 ? r : 0;
}

/* Of a repository that the source does not have. Its uploads stay. */
static int add_rest(struct surplus *surplus, struct error *err)
{
    static const char *const below[] = {"_manifests/", "_layers/", "_registryd/"};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(below); i++) {
        struct key key = key_in_repository(surplus->name, below[i]);

        r = add_key(surplus, &key, err);
    }
    return r;
}

static int remove_keys(struct surplus *surplus, struct error *err)
{
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    struct store *to = surplus->copy->to;
    int r = store_claim(to, surplus->name, STORAGE_EXCLUSIVE, &claim, err);

    for (size_t i = 0; r == 0 && i < surplus->keys.count; i += REMOVED_AT_ONCE) {
        size_t rest = surplus->keys.count - i;

        r = store_remove_claimed(to, claim, (const char *const *)surplus->keys.items + i,
                                 rest < REMOVED_AT_ONCE ? rest : REMOVED_AT_ONCE, err);
    }
    if (r == 0)
        r = tag_names_mark(to, surplus->name, err);
    return r;
}

int copy_remove_surplus(const struct copy *copy, const char *name, const struct copy_content *there,
                        const struct copy_content *here, struct error *err)
{
    static const struct copy_content nothing;
    CLEANUP(surplus_done) struct surplus surplus = {.copy = copy, .name = name};
    const struct copy_content *kept = here ? here : &nothing;
    uint64_t *count =
        copy->options->does_delete ? &copy->report->result.removed : &copy->report->result.surplus;
    int r = add_tags(&surplus, there, kept, err);

    for (size_t i = 0; r == 0 && i < COPY_ALGORITHMS; i++)
        r = add_revisions(&surplus, &there->revisions[i], &kept->revisions[i], err);
    for (size_t i = 0; r == 0 && i < COPY_ALGORITHMS; i++)
        r = add_layers(&surplus, &there->layers[i], &kept->layers[i], err);
    if (r == 0 && !here && !surplus.is_kept)
        r = add_rest(&surplus, err);
    if (r == 0 && copy->options->does_delete && surplus.keys.count > 0)
        r = remove_keys(&surplus, err);
    for (uint64_t i = 0; r == 0 && i < surplus.count; i++)
        copy_report_count(copy->report, count);
    return r;
}
