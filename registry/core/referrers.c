/*
 * Lists the manifests that name another one as their subject. A push writes an index entry for
 * that. For manifests that were pushed to registry:2, registry/core/referrer-search.c adds the
 * entries.
 */
#include "registry/core/lists.h"
#include "registry/core/referrer-search.h"

int store_list_referrers(struct store *store, const char *name, const struct digest *subject,
                         struct store_digests *ret, struct error *err)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r = store_search_referrers(store, name, err);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
        CLEANUP(store_digests_done) struct store_digests entries = {0};
        struct key prefix = key_referrers(name, subject, algorithms[i]);

        r = store_list_digests(store, &prefix, algorithms[i], &entries, err);
        for (size_t j = 0; r == 0 && j < entries.count; j++)
            if (store_digests_add(&digests, &entries.items[j]) < 0)
                r = error_set_oom(err);
    }
    if (r != 0)
        return r;
    *ret = digests;
    digests = (struct store_digests){0};
    return 0;
}
