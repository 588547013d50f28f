#pragma once

#include "registry/core/progress.h"
#include "registry/core/store.h"

/*
 * A quota limits the total size of several repositories. It counts a blob once, even if several of
 * the repositories have it. docs/rights-and-space.md describes the state, registryd/quotas/ID/, and
 * how it survives a crash.
 */
enum { QUOTAS_OF_ONE = 16 };

struct store_quota {
    char id[17];
    char label[200]; /* its patterns, for messages */
    uint64_t limit;  /* bytes */
};

/* Finds the quotas that apply to a repository, and returns their number. Called from any thread. */
typedef size_t quota_finder(void *object, const char *name, struct store_quota ret[QUOTAS_OF_ONE]);

/* Sets the finder (NULL: no quotas). Call it before threads share the store. */
void store_set_quotas(struct store *store, quota_finder *find, void *object);

/*
 * Finds how many bytes the quotas still allow for a repository: UINT64_MAX without a quota, or if
 * the quota was not counted yet. If that is less than wanted, err has a text for the client that
 * names the quota.
 */
int store_find_room(struct store *store, const char *name, uint64_t wanted, uint64_t *ret_room,
                    struct error *err) MUST_USE;

/*
 * Whether all quotas of the repository already count the blob, so that it needs no room. 1 or 0, or
 * negative.
 */
int store_is_counted(struct store *store, const char *name, const struct digest *digest,
                     struct error *err) MUST_USE;

/* The bytes that count for a quota. STORE_NOT_FOUND: it was not counted yet. */
int store_find_used(struct store *store, const char *id, uint64_t *ret, struct error *err) MUST_USE;

/*
 * Counts a blob or manifest before a repository gets it; for registry/core/ only. STORE_OVER_QUOTA
 * with a text for the client in err. Do not hold a claim on a repository.
 */
int quota_charge(struct store *store, const char *name, const struct digest *canonical,
                 uint64_t size, struct error *err) MUST_USE;

/* All may be NULL. */
struct recount_options {
    int (*pace)(void *object, struct error *err); /* between two steps; negative: the end */
    void *object;                                 /* for pace */
    progress_function *progress;
    void *progress_object;
};

/*
 * Recounts a quota: adds what is missing, and removes what no repository has any more. Concurrent
 * pushes are counted, too. *ret is the number of bytes.
 */
int store_recount(struct store *store, const struct store_quota *quota,
                  const struct recount_options *options, uint64_t *ret, struct error *err) MUST_USE;

/* When a quota was counted, and when garbage was collected; 0: never, or not known. */
int64_t store_find_counted(struct store *store, const char *id);
int64_t store_find_collected(struct store *store);
