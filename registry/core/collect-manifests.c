/*
 * Removes manifests. This is done before blobs are removed. A client that requests a manifest
 * afterwards does not find it; a request before protects everything that the manifest names.
 */
#include <errno.h>
#include <stdlib.h>

#include "registry/core/collect-private.h"
#include "registry/core/lists.h"
#include "registry/core/revisions.h"

/* A family's prefixes, and the links in them that are refreshed when a member is used. */
struct family {
    struct store_names keys, witnesses;
};

static void family_done(struct family *family)
{
    store_names_done(&family->keys);
    store_names_done(&family->witnesses);
}

static int add_revision(struct family *family, const char *name, const struct digest *digest,
                        struct error *err)
{
    struct key prefix = key_revision(name, digest, ""), link = key_revision(name, digest, "link");

    if (store_names_add(&family->keys, prefix.text) < 0 ||
        store_names_add(&family->witnesses, link.text) < 0)
        return error_set_oom(err);
    return 0;
}

/* Adds a manifest under all its digests. */
static int add_member(struct family *family, const struct doomed *member,
                      const struct store_digests *aliases, const struct store_digests *canonicals,
                      struct error *err)
{
    struct digest digest;
    int r;

    digest_id_format(&member->id, &digest);
    r = add_revision(family, member->name, &digest, err);
    for (size_t i = 0; r == 0 && i < aliases->count; i++) {
        if (digest_is_equal(&canonicals->items[i], &digest))
            r = add_revision(family, member->name, &aliases->items[i], err);
    }
    return r;
}

/*
 * Removes the members of a family. If one of them was refreshed, all of them stay, and
 * *ret_is_spared is set.
 */
static int sweep_family(struct collection *collection, const struct doomed *members, size_t count,
                        bool *ret_is_spared, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests aliases = {0};
    CLEANUP(store_digests_done) struct store_digests canonicals = {0};
    CLEANUP(family_done) struct family family = {0};
    struct storage_removal removal;
    int r = store_list_aliases(collection->store, members->name, &aliases, &canonicals, err);

    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_member(&family, &members[i], &aliases, &canonicals, err);
    if (r < 0)
        return r;
    removal = (struct storage_removal){
        .keys = (const char *const *)family.keys.items,
        .key_count = family.keys.count,
        .witnesses = (const char *const *)family.witnesses.items,
        .witness_count = family.witnesses.count,
    };
    r = storage_remove_unused(collection->store->storage, &removal, 1, collection->before_s, err);
    if (r == 0)
        *ret_is_spared = removal.is_spared;
    return r;
}

/*
 * How many of the first entries belong to the same repository, or (has_family) to the same family.
 */
static size_t count_alike(const struct doomed *doomed, size_t count, bool has_family)
{
    size_t alike = 1;

    while (alike < count && doomed[alike].name == doomed->name &&
           (!has_family || doomed[alike].family == doomed->family))
        alike++;
    return alike;
}

static int sweep_repository(struct collection *collection, const struct doomed *doomed,
                            size_t count, struct error *err)
{
    bool is_any_spared = false, is_spared = false;
    size_t size;
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i += size) {
        size = count_alike(doomed + i, count - i, true);
        r = sweep_family(collection, doomed + i, size, &is_spared, err);
        is_any_spared |= r == 0 && is_spared;
        if (r == 0)
            r = collect_pace(collection, err);
    }
    return r == 0 && is_any_spared ? 1 : r;
}

int collect_sweep_manifests(struct collection *collection, struct error *err)
{
    size_t size, count = collection->options->is_dry_run ? 0 : collection->doomed_count;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < count; i += size) {
        const char *name = collection->doomed[i].name;

        collect_show(collection, &(struct progress){.step = "removing manifests",
                                                    .unit = "manifests",
                                                    .done = i,
                                                    .total = count});
        size = count_alike(collection->doomed + i, count - i, false);
        r = sweep_repository(collection, collection->doomed + i, size, err);
        if (r > 0)
            r = collect_mark_all(collection, name, err);
    }
    digest_set_sort(&collection->marks);
    return r < 0 ? r : 0;
}
