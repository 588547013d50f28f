/*
 * Deletes a manifest together with the tags that point to it, so that no tag dangles. To find them,
 * all tags are read. That is done before the repository is claimed; under the claim, while pushes
 * to the repository wait, only the tags that have changed since are read again.
 */
#include <errno.h>
#include <string.h>

#include "registry/spec/manifest.h"
#include "registry/core/claims.h"
#include "registry/core/lists.h"
#include "registry/core/manifest-names.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"
#include "registry/core/tag-names.h"

/*
 * What is removed, in this order: tags, aliases, the canonical digest, the entry in the referrers
 * index.
 */
struct removal {
    struct store *store;
    const char *name;
    const struct digest *canonical;
    struct store_digests names; /* the digests of the manifest: aliases, then canonical */
    struct store_names keys;
    struct store_names tags;
};

static void removal_done(struct removal *removal)
{
    store_digests_done(&removal->names);
    store_names_done(&removal->keys);
    store_names_done(&removal->tags);
}

static int add_tags(struct removal *removal, const struct tag_table *others, struct error *err)
{
    const struct manifest_names_query query = {
        removal->store, removal->name, &removal->names, others};
    int r = manifest_names_find_tags(&query, &removal->tags, err);

    for (size_t i = 0; r == 0 && i < removal->tags.count; i++) {
        struct key key = key_tag_prefix(removal->name, removal->tags.items[i]);
        struct key pushed = key_pushed_tag(removal->name, removal->tags.items[i]);

        if (store_names_add(&removal->keys, key.text) < 0 ||
            store_names_add(&removal->keys, pushed.text) < 0)
            return error_set_oom(err);
    }
    return r;
}

static int add_revisions(struct removal *removal, struct error *err)
{
    for (size_t i = 0; i < removal->names.count; i++) {
        struct key key = key_revision(removal->name, &removal->names.items[i], "");

        if (store_names_add(&removal->keys, key.text) < 0)
            return error_set_oom(err);
    }
    return 0;
}

/*
 * Ignores a manifest that cannot be read, so that it can still be deleted. Lists of referrers skip
 * deleted manifests.
 */
static int add_referrer(struct removal *removal, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error ignored;

    if (store_parse_manifest(removal->store, removal->name, removal->canonical, &manifest,
                             &ignored) != 0 ||
        !manifest.has_subject)
        return 0;
    for (size_t i = 0; i < removal->names.count; i++) {
        struct key key =
            key_referrer_prefix(removal->name, &manifest.subject, &removal->names.items[i]);

        if (store_names_add(&removal->keys, key.text) < 0)
            return error_set_oom(err);
    }
    return 0;
}

/* What is read before the claim. */
struct preparation {
    struct store_digests names;
    struct tag_table *others;
};

static void preparation_done(struct preparation *preparation)
{
    store_digests_done(&preparation->names);
    tag_table_free(preparation->others);
}

static int prepare(struct store *store, const char *name, const struct digest *digest,
                   struct preparation *ret, struct error *err)
{
    const struct manifest_names_query query = {store, name, &ret->names, NULL};
    struct digest canonical;
    int r = store_find_revision(store, name, digest, STORE_MAY_WAIT, &canonical, err);

    if (r == 0)
        r = manifest_names_find_digests(store, name, &canonical, &ret->names, err);
    return r != 0 ? r : manifest_names_read_others(&query, &ret->others, err);
}

/* Whether the manifest has the digests that the preparation knew. */
static bool has_same_names(const struct removal *removal, const struct preparation *preparation)
{
    const struct store_digests *one = &removal->names, *other = &preparation->names;

    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (!digest_is_equal(&one->items[i], &other->items[i]))
            return false;
    return true;
}

static int remove_revision(struct removal *removal, const struct preparation *preparation,
                           struct storage_claim *claim, struct error *err)
{
    int r = manifest_names_find_digests(removal->store, removal->name, removal->canonical,
                                        &removal->names, err);

    if (r == 0)
        r = add_tags(removal, has_same_names(removal, preparation) ? preparation->others : NULL,
                     err);
    if (r == 0)
        r = add_revisions(removal, err);
    if (r == 0)
        r = add_referrer(removal, err);
    return r < 0 ? r
                 : store_remove_claimed(removal->store, claim,
                                        (const char *const *)removal->keys.items,
                                        removal->keys.count, err);
}

int store_delete_manifest(struct store *store, const char *name, const struct digest *digest,
                          const char *actor, struct error *err)
{
    CLEANUP(preparation_done) struct preparation preparation = {0};
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    CLEANUP(removal_done) struct removal removal = {.store = store, .name = name};
    struct digest canonical;
    int r = prepare(store, name, digest, &preparation, err);

    if (r == 0)
        r = store_claim(store, name, STORAGE_EXCLUSIVE, &claim, err);
    if (r == 0)
        r = store_find_revision(store, name, digest, STORE_MAY_WAIT, &canonical, err);
    removal.canonical = &canonical;
    if (r == 0)
        r = remove_revision(&removal, &preparation, claim, err);
    if (r == 0 && removal.tags.count > 0)
        r = tag_names_mark(store, name, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_DELETE_MANIFEST,
                                                  .repository = name,
                                                  .tags = &removal.tags,
                                                  .digest = digest,
                                                  .actor = actor});
    return r;
}
