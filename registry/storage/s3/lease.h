#pragma once

#include "registry/storage/s3/doom.h"

/*
 * The lease of this process. While it holds, a collector waits for the process: it removes nothing
 * before the process has seen the list of doomed keys, and has ended what it was doing with one of
 * them. A process without a lease makes no promises. docs/storage-s3.md has the proof.
 *
 * The lease is taken with the first work. From any thread.
 */
struct lease;

/* A holder stops the drift before the end, by its own clock; others wait for it after the end. */
enum { LEASE_S = 15, LEASE_DRIFT_S = 5 };

/* Borrows s3. NULL: out of memory. */
struct lease *lease_new(struct s3 *s3);

/* Gives the lease up. Takes NULL. */
void lease_free(struct lease *lease);

/* Work on keys that clients rely on afterwards: they are promised, kept or written. */
struct lease_work {
    const char *const *keys; /* borrowed until lease_end() */
    size_t count;
    struct lease_work *next; /* the rest is the lease's */
    uint64_t generation;
};

/*
 * Begins. While a collector removes one of the keys, waits up to patience_ms, then returns
 * STORAGE_WOULD_WAIT. 0, or negative: the process has no lease.
 */
int lease_begin(struct lease *lease, struct lease_work *work, unsigned patience_ms,
                struct error *err) MUST_USE;

/* Ends. 0, or negative if the lease has run out: then nobody may rely on the work. */
int lease_end(struct lease *lease, struct lease_work *work, struct error *err) MUST_USE;

/* Has the process look at the doomed keys now. */
void lease_wake(struct lease *lease);

/*
 * Called before each request of a look at many leases, which takes long. Several threads call it.
 * 0 or negative.
 */
typedef int lease_renew_function(void *object, struct error *err);

/*
 * For a collector: whether every process with a lease has seen that number. 0, STORAGE_WOULD_WAIT
 * or negative.
 */
int lease_look_at_others(struct s3 *s3, uint64_t number, lease_renew_function *renew, void *object,
                         struct error *err) MUST_USE;

/* Removes leases that ran out long ago. 0 or negative. */
int lease_clean_up(struct s3 *s3, struct error *err) MUST_USE;
