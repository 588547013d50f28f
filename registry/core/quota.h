#pragma once

#include "registry/core/store.h"

/*
 * Quotas: how many bytes several repositories may have together. A blob counts once for a quota, however many of the
 * repositories have it. docs/rights-and-space.md describes the state, registryd/quotas/ID/, and what a crash does to it.
 */
enum { QUOTAS_OF_ONE = 16 };

struct store_quota {
    char id[17];
    char label[200]; /* its patterns, for people */
    uint64_t limit;  /* bytes */
};

/* Finds the quotas that a repository has a part in. How many. From any thread. */
typedef size_t quota_finder(void *object, const char *name, struct store_quota ret[QUOTAS_OF_ONE]);

/* Sets the finder (NULL: no quotas). Before the store is shared between threads. */
void store_set_quotas(struct store *store, quota_finder *find, void *object);

/*
 * How many bytes a repository may still get: UINT64_MAX without a quota, or if the quota was not counted yet. Then err, if
 * it is less than wanted, says in words for the client which quota has no room.
 */
int store_find_room(struct store *store, const char *name, uint64_t wanted, uint64_t *ret_room, struct error *err) MUST_USE;

/* Whether a blob counts already for all quotas of the repository, so that it needs no room. 1 or 0, or negative. */
int store_is_counted(struct store *store, const char *name, const struct digest *digest, struct error *err) MUST_USE;

/* The bytes that count for a quota. STORE_NOT_FOUND: it was not counted yet. */
int store_find_used(struct store *store, const char *id, uint64_t *ret, struct error *err) MUST_USE;

/*
 * For core, before a repository gets a blob or a manifest: counts it. STORE_OVER_QUOTA with words in err for the client. Not
 * with a claim on a repository.
 */
int quota_charge(struct store *store, const char *name, const struct digest *canonical, uint64_t size,
                 struct error *err) MUST_USE;

/*
 * Counts a quota anew: adds what is missing, removes what no repository has any more. Beside pushes, which are counted, too.
 * pace is called between two steps, and ends it if it answers less than 0. *ret are the bytes.
 */
int store_recount(struct store *store, const struct store_quota *quota, int (*pace)(void *object, struct error *err),
                  void *object, uint64_t *ret, struct error *err) MUST_USE;

/* When a quota was counted, and when garbage was collected; 0: never, or not known. */
int64_t store_find_counted(struct store *store, const char *id);
int64_t store_find_collected(struct store *store);
