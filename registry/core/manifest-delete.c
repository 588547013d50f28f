/*
 * Deletes a manifest together with the tags that point to it, so that no tag dangles. There is no
 * index from manifests to tags, so all tags are read; 10,000 tags take a tenth of a second.
 */
#include <errno.h>
#include <string.h>

#include "registry/spec/manifest.h"
#include "registry/core/claims.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"

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

static bool is_named(const struct removal *removal, const struct digest *digest)
{
    for (size_t i = 0; i < removal->names.count; i++) {
        if (digest_is_equal(&removal->names.items[i], digest))
            return true;
    }
    return false;
}

static int find_names(struct removal *removal, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests aliases = {0};
    CLEANUP(store_digests_done) struct store_digests canonicals = {0};
    int r = store_list_aliases(removal->store, removal->name, &aliases, &canonicals, err);

    for (size_t i = 0; r == 0 && i < aliases.count; i++) {
        if (digest_is_equal(&canonicals.items[i], removal->canonical) &&
            store_digests_add(&removal->names, &aliases.items[i]) < 0)
            return error_set_oom(err);
    }
    if (r == 0 && store_digests_add(&removal->names, removal->canonical) < 0)
        return error_set_oom(err);
    return r;
}

static int add_tags(struct removal *removal, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list tags = {0};
    int r = store_list_tag_entries(removal->store, removal->name, &tags, err);

    for (size_t i = 0; r >= 0 && i < tags.count; i++) {
        const char *tag = tags.entries[i]->name;
        struct key key = key_tag_prefix(removal->name, tag);
        struct key pushed = key_pushed_tag(removal->name, tag);
        struct digest digest;

        r = store_may_go_on(removal->store, err);
        if (r == 0)
            r = store_resolve_tag(removal->store, removal->name, tag, STORE_MAY_WAIT, &digest, err);
        if (r == 0 && is_named(removal, &digest) &&
            (store_names_add(&removal->keys, key.text) < 0 ||
             store_names_add(&removal->keys, pushed.text) < 0 ||
             store_names_add(&removal->tags, tag) < 0))
            return error_set_oom(err);
    }
    return r < 0 ? r : 0;
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

static int remove_revision(struct removal *removal, struct storage_claim *claim, struct error *err)
{
    int r = find_names(removal, err);

    if (r == 0)
        r = add_tags(removal, err);
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
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    CLEANUP(removal_done) struct removal removal = {.store = store, .name = name};
    struct digest canonical;
    int r = store_claim(store, name, STORAGE_ALONE, &claim, err);

    if (r == 0)
        r = store_find_revision(store, name, digest, STORE_MAY_WAIT, &canonical, err);
    removal.canonical = &canonical;
    if (r == 0)
        r = remove_revision(&removal, claim, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_DELETE_MANIFEST,
                                                  .repository = name,
                                                  .tags = &removal.tags,
                                                  .digest = digest,
                                                  .actor = actor});
    return r;
}
