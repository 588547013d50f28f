#pragma once

#include "registry/access/access-file.h"
#include "registry/core/quota.h"

/* The quotas of the access file, for the store: a quota_finder() whose object is a struct access_file. */
size_t quotas_find(void *object, const char *name, struct store_quota ret[QUOTAS_OF_ONE]);

/* All quotas, by line. *ret is the caller's, free with free(). 0 or -ENOMEM. */
int quotas_list(struct access_file *file, struct store_quota **ret, size_t *ret_count) MUST_USE;
