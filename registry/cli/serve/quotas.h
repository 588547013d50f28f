#pragma once

#include "registry/access/access-file.h"
#include "registry/core/quota.h"

/*
 * Finds the quotas of a repository in the access file, for the store: a quota_finder() whose object
 * is the watched table of the access file.
 */
size_t quotas_find(void *object, const char *name, struct store_quota ret[QUOTAS_OF_ONE]);

/*
 * Lists all quotas in the order of their lines. *ret is owned by the caller, free with free(). 0 or
 * -ENOMEM.
 */
int quotas_list(struct watched_table *file, struct store_quota **ret, size_t *ret_count) MUST_USE;
