#pragma once

#include "registry/core/store.h"

/*
 * Adds the referrers that were pushed to registry:2 to the index of a repository. Returns 0 when
 * the index is complete, or STORE_WOULD_WAIT after a part of the work, which the next call
 * continues.
 */
int store_search_referrers(struct store *store, const char *name, struct error *err) MUST_USE;
