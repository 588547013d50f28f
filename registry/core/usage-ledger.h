#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/core/digest-set.h"
#include "registry/core/progress.h"
#include "registry/core/usage.h"

/*
 * Which owner, such as a repository or a tag, has which objects, and how large they are: 48 bytes
 * for each object of each owner. One thread fills it; from then on it is constant, and several
 * threads may read it.
 */
struct usage_share {
    struct digest_id id;
    uint32_t owner;  /* an index into the list of owners */
    bool is_missing; /* the object has no bytes */
    uint64_t size;   /* set by usage_ledger_measure() */
};

struct usage_ledger {
    struct store *store;
    struct usage_share *shares; /* by id and owner after usage_ledger_tidy() */
    size_t count;
    size_t most; /* shares; with one more, adding fails with -E2BIG; 0: no limit */
    progress_function *progress; /* NULL: nobody looks */
    void *progress_object;
};

/* Reports how many repositories or tags were read. */
void usage_ledger_show(const struct usage_ledger *ledger, const char *unit, size_t done,
                       size_t total);

void usage_ledger_done(struct usage_ledger *ledger);

int usage_ledger_add(struct usage_ledger *ledger, const struct digest_id *id, size_t owner,
                     struct error *err) MUST_USE;

/* Sorts the shares and drops duplicates. */
void usage_ledger_tidy(struct usage_ledger *ledger);

/* Finds the size of each object. The ledger must be tidy, as for the functions below. */
int usage_ledger_measure(struct usage_ledger *ledger, struct error *err) MUST_USE;

/*
 * Adds each object's size to those of its owners that count, by their index (NULL: all); the others
 * might not exist. ret has room for all owners, and holds zeros before.
 */
void usage_ledger_sum(const struct usage_ledger *ledger, const bool *counts, struct usage *ret,
                      struct usage *ret_total);

/* A share of the object among the first `count`; NULL: none. */
const struct usage_share *usage_ledger_find(const struct usage_ledger *ledger, size_t count,
                                            const struct digest_id *id);

/* Whether an owner other than this one, of those that count, has the object. */
bool usage_ledger_has_other(const struct usage_ledger *ledger, const bool *counts, size_t owner,
                            const struct digest *canonical);

/* Gathers everything that a repository has links to, sorted. */
int usage_gather_repository(struct store *store, const char *name, struct digest_set *ret,
                            struct error *err) MUST_USE;

/* Fills the ledger with repositories, whose indexes are the owners, and measures it. */
int usage_ledger_read(struct usage_ledger *ledger, const struct store_names *names,
                      struct error *err) MUST_USE;
