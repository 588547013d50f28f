#include "registry/core/consequences.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/digest-set.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"
#include "registry/spec/manifest.h"

void consequences_done(struct consequences *consequences)
{
    store_names_done(&consequences->tags);
    free(consequences->blobs);
    *consequences = (struct consequences){0};
}

static int find_tags(struct store *store, const struct consequences_query *query,
                     const struct digest *canonical, struct store_names *ret, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    const struct manifest_names_query names = {store, query->name, &digests, NULL};
    int r = manifest_names_find_digests(store, query->name, canonical, &digests, err);

    return r != 0 ? r : manifest_names_find_part(&names, query->part, ret, err);
}

/* --- blobs ---------------------------------------------------------------------------------- */

static int add_blob(struct consequences *consequences, const struct store_blob *blob,
                    struct error *err)
{
    for (size_t i = 0; i < consequences->blob_count; i++)
        if (digest_is_equal(&consequences->blobs[i].canonical, &blob->canonical))
            return 0;
    if (store_grow((void **)&consequences->blobs, consequences->blob_count,
                   sizeof(*consequences->blobs)) < 0)
        return error_set_oom(err);
    consequences->blobs[consequences->blob_count++] = *blob;
    return 0;
}

static int add_own_bytes(struct store *store, const struct digest *canonical,
                         struct consequences *ret, struct error *err)
{
    struct key data = key_blob(canonical);
    struct storage_object object;
    int r = storage_head(store->storage, data.text, STORAGE_MAY_WAIT, &object, err);

    if (r != 0)
        return r < 0 ? r : 0;
    return add_blob(ret, &(struct store_blob){.canonical = *canonical, .size = object.size}, err);
}

static int add_blobs(struct store *store, const char *name, const struct digest *canonical,
                     struct consequences *ret, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error why = {0};
    int r = store_parse_manifest(store, name, canonical, &manifest, &why);

    if (r == -ENOMEM)
        return error_set_oom(err);
    ret->are_blobs_known = r == 0;
    r = ret->are_blobs_known ? add_own_bytes(store, canonical, ret, err) : 0;
    for (size_t i = 0; r == 0 && i < manifest.blobs.count; i++) {
        struct store_blob blob;

        r = store_find_blob(store, name, &manifest.blobs.items[i].digest, STORE_MAY_WAIT, &blob,
                            err);
        r = r == 0 ? add_blob(ret, &blob, err) : r < 0 ? r : 0;
    }
    return r;
}

static void drop_blob(struct consequences *consequences, const struct digest *digest)
{
    for (size_t i = 0; i < consequences->blob_count; i++)
        if (digest_is_equal(&consequences->blobs[i].canonical, digest)) {
            consequences->blobs[i] = consequences->blobs[--consequences->blob_count];
            return;
        }
}

/* Another manifest keeps what it names. One that cannot be parsed might keep everything. */
static int drop_blobs_of(struct store *store, const char *name, const struct digest *digest,
                         struct consequences *ret, struct error *err)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error why = {0};
    int r = store_may_go_on(store, err);

    if (r == 0)
        r = store_parse_manifest(store, name, digest, &manifest, &why);
    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r == -ECANCELED || r == STORE_NOT_FOUND)
        return r < 0 ? r : 0;
    if (r < 0) {
        ret->are_blobs_known = false;
        return 0;
    }
    for (size_t i = 0; i < manifest.blobs.count; i++) {
        struct store_blob blob;
        struct error ignored;

        if (store_find_blob(store, name, &manifest.blobs.items[i].digest, STORE_MAY_WAIT, &blob,
                            &ignored) == 0)
            drop_blob(ret, &blob.canonical);
    }
    return 0;
}

static int drop_kept_blobs(struct store *store, const char *name, const struct digest *canonical,
                           struct consequences *ret, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests all = {0};
    struct key prefix = key_revisions(name, DIGEST_SHA256);
    int r = store_list_digests(store, &prefix, DIGEST_SHA256, &all, err);

    if (all.count > CONSEQUENCES_MANIFESTS_MAX)
        ret->are_blobs_known = false;
    for (size_t i = 0; r == 0 && ret->are_blobs_known && i < all.count; i++)
        if (!digest_is_equal(&all.items[i], canonical))
            r = drop_blobs_of(store, name, &all.items[i], ret, err);
    return r;
}

int store_find_consequences(struct store *store, const struct consequences_query *query,
                            struct consequences *ret, struct error *err)
{
    struct consequences consequences = {0};
    bool is_first = !*query->part->last;
    struct digest canonical;
    int r = store_find_revision(store, query->name, query->digest, STORE_MAY_WAIT, &canonical, err);

    if (r != 0)
        return r;
    r = find_tags(store, query, &canonical, &consequences.tags, err);
    if (r == 0 && is_first)
        r = add_blobs(store, query->name, &canonical, &consequences, err);
    if (r == 0 && consequences.are_blobs_known)
        r = drop_kept_blobs(store, query->name, &canonical, &consequences, err);
    if (r != 0)
        consequences_done(&consequences);
    else
        *ret = consequences;
    return r;
}
