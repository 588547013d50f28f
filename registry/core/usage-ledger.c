#include "registry/core/usage-ledger.h"

#include <errno.h>
#include <stdlib.h>

#include "registry/core/lists.h"
#include "registry/core/store-private.h"

void usage_ledger_done(struct usage_ledger *ledger)
{
    free(ledger->shares);
    *ledger = (struct usage_ledger){0};
}

static void show_progress(const struct usage_ledger *ledger, const struct progress *progress)
{
    if (ledger->progress)
        ledger->progress(ledger->progress_object, progress);
}

void usage_ledger_show(const struct usage_ledger *ledger, const char *unit, size_t done,
                       size_t total)
{
    show_progress(
        ledger, &(struct progress){.step = "reading", .unit = unit, .done = done, .total = total});
}

int usage_ledger_add(struct usage_ledger *ledger, const struct digest_id *id, size_t owner,
                     struct error *err)
{
    if (ledger->most > 0 && ledger->count >= ledger->most)
        return error_set(err, E2BIG, "there is too much to be measured at once");
    if (store_grow((void **)&ledger->shares, ledger->count, sizeof(*ledger->shares)) < 0)
        return error_set_oom(err);
    ledger->shares[ledger->count++] = (struct usage_share){.id = *id, .owner = (uint32_t)owner};
    return 0;
}

static int compare_shares(const void *a, const void *b)
{
    const struct usage_share *one = a, *other = b;
    int order = digest_id_compare(&one->id, &other->id);

    return order != 0 ? order : (one->owner > other->owner) - (one->owner < other->owner);
}

void usage_ledger_tidy(struct usage_ledger *ledger)
{
    size_t kept = 0;

    if (ledger->count > 0)
        qsort(ledger->shares, ledger->count, sizeof(*ledger->shares), compare_shares);
    for (size_t i = 0; i < ledger->count; i++)
        if (kept == 0 || compare_shares(&ledger->shares[kept - 1], &ledger->shares[i]) != 0)
            ledger->shares[kept++] = ledger->shares[i];
    ledger->count = kept;
}

/* The end of the shares of the object that begin there. */
static size_t next_object(const struct usage_ledger *ledger, size_t begin)
{
    size_t end = begin + 1;

    while (end < ledger->count &&
           digest_id_compare(&ledger->shares[begin].id, &ledger->shares[end].id) == 0)
        end++;
    return end;
}

static size_t count_objects(const struct usage_ledger *ledger)
{
    size_t count = 0;

    for (size_t i = 0; i < ledger->count; i = next_object(ledger, i))
        count++;
    return count;
}

int usage_ledger_measure(struct usage_ledger *ledger, struct error *err)
{
    struct progress progress = {.step = "measuring",
                                .unit = "blobs and manifests",
                                .total = ledger->progress ? count_objects(ledger) : 0};
    size_t end;

    for (size_t i = 0; i < ledger->count; i = end) {
        struct storage_object object = {0};
        struct digest digest;
        struct key data;
        int r = store_may_go_on(ledger->store, err);

        show_progress(ledger, &progress);
        progress.done++;
        end = next_object(ledger, i);
        digest_id_format(&ledger->shares[i].id, &digest);
        data = key_blob(&digest);
        if (r == 0)
            r = storage_head(ledger->store->storage, data.text, STORAGE_MAY_WAIT, &object, err);
        if (r < 0)
            return r;
        for (size_t share = i; share < end; share++) {
            ledger->shares[share].is_missing = r == STORAGE_NOT_FOUND;
            ledger->shares[share].size = object.size;
        }
    }
    return 0;
}

static void usage_add(struct usage *usage, uint64_t bytes, bool is_alone)
{
    usage->bytes += bytes;
    usage->alone += is_alone ? bytes : 0;
    usage->objects++;
}

void usage_ledger_sum(const struct usage_ledger *ledger, const bool *counts, struct usage *ret,
                      struct usage *ret_total)
{
    const struct usage_share *shares = ledger->shares;
    size_t end;

    *ret_total = (struct usage){0};
    for (size_t i = 0; i < ledger->count; i = end) {
        size_t owners = 0;

        end = next_object(ledger, i);
        for (size_t share = i; share < end; share++)
            owners += !counts || counts[shares[share].owner];
        if (owners == 0 || shares[i].is_missing)
            continue;
        for (size_t share = i; share < end; share++)
            if (!counts || counts[shares[share].owner])
                usage_add(&ret[shares[share].owner], shares[share].size, owners == 1);
        usage_add(ret_total, shares[i].size, owners == 1);
    }
}

static int compare_id_to_share(const void *id, const void *share)
{
    return digest_id_compare(id, &((const struct usage_share *)share)->id);
}

const struct usage_share *usage_ledger_find(const struct usage_ledger *ledger, size_t count,
                                            const struct digest_id *id)
{
    return count > 0
               ? bsearch(id, ledger->shares, count, sizeof(*ledger->shares), compare_id_to_share)
               : NULL;
}

bool usage_ledger_has_other(const struct usage_ledger *ledger, const bool *counts, size_t owner,
                            const struct digest *canonical)
{
    struct digest_id id = digest_id_of(canonical);
    const struct usage_share *found = usage_ledger_find(ledger, ledger->count, &id),
                             *end = ledger->shares + ledger->count;

    if (!found)
        return false;
    while (found > ledger->shares && digest_id_compare(&found[-1].id, &id) == 0)
        found--;
    for (; found < end && digest_id_compare(&found->id, &id) == 0; found++)
        if (found->owner != owner && (!counts || counts[found->owner]))
            return true;
    return false;
}

/* --- repositories ---------------------------------------------------------------------------- */

static int gather_below(struct store *store, const struct key *prefix, struct digest_set *ret,
                        struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_list_digests(store, prefix, DIGEST_SHA256, &digests, err);

    for (size_t i = 0; r == 0 && i < digests.count; i++) {
        struct digest_id id = digest_id_of(&digests.items[i]);

        if (digest_set_add(ret, &id) < 0)
            return error_set_oom(err);
    }
    return r < 0 ? r : 0;
}

int usage_gather_repository(struct store *store, const char *name, struct digest_set *ret,
                            struct error *err)
{
    struct key layers = key_layers(name, DIGEST_SHA256),
               revisions = key_revisions(name, DIGEST_SHA256);
    int r = gather_below(store, &layers, ret, err);

    if (r == 0)
        r = gather_below(store, &revisions, ret, err);
    digest_set_sort(ret);
    return r;
}

static int add_repository(struct usage_ledger *ledger, const char *name, size_t owner,
                          struct error *err)
{
    CLEANUP(digest_set_done) struct digest_set objects = {0};
    int r = usage_gather_repository(ledger->store, name, &objects, err);

    for (size_t i = 0; r == 0 && i < objects.count; i++)
        r = usage_ledger_add(ledger, &objects.items[i], owner, err);
    return r;
}

int usage_ledger_read(struct usage_ledger *ledger, const struct store_names *names,
                      struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        usage_ledger_show(ledger, "repositories", i, names->count);
        r = store_may_go_on(ledger->store, err);
        if (r == 0)
            r = add_repository(ledger, names->items[i], i, err);
    }
    usage_ledger_tidy(ledger);
    return r < 0 ? r : usage_ledger_measure(ledger, err);
}
