#include "registry/cli/serve/quotas.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void copy_quota(const struct rules_quota *quota, struct store_quota *ret)
{
    *ret = (struct store_quota){.limit = quota->bytes};
    snprintf(ret->id, sizeof(ret->id), "%s", quota->id);
    snprintf(ret->label, sizeof(ret->label), "%s", quota->patterns);
}

size_t quotas_find(void *object, const char *name, struct store_quota ret[QUOTAS_OF_ONE])
{
    CLEANUP(rules_unrefp) struct rules *rules = access_file_get_rules(object);
    const struct rules_quota *found[RULES_QUOTAS_OF_ONE];
    size_t count = rules_find_quotas(rules, name, found);

    for (size_t i = 0; i < count; i++)
        copy_quota(found[i], &ret[i]);
    return count;
}

int quotas_list(struct watched_table *file, struct store_quota **ret, size_t *ret_count)
{
    CLEANUP(rules_unrefp) struct rules *rules = access_file_get_rules(file);
    const struct rules_quota *all;
    size_t count = rules_list_quotas(rules, &all);
    struct store_quota *quotas = calloc(count + 1, sizeof(*quotas));

    if (!quotas)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        copy_quota(&all[i], &quotas[i]);
    *ret = quotas;
    *ret_count = count;
    return 0;
}
