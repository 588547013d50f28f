#pragma once

#include "registry/core/store.h"

/*
 * A lease on a record (registry/core/records.h). At any time at most one process of all servers
 * holds it, for a limited time that the process can extend. If the holder dies, the lease expires.
 * The lease uses conditional writes, because a claim that is held for long would delay others. For
 * one thread.
 */
enum { LEASE_S = 120, LEASE_RENEW_S = 30 };

struct lease {
    struct store *store; /* borrowed */
    char path[300];
    char holder[37];
    struct storage_version version;
    int64_t until_s; /* by the storage's clock */
};

/* 0, or STORE_BUSY if another process holds it. */
int lease_take(struct store *store, const char *path, struct lease *ret,
               struct error *err) MUST_USE;

/*
 * Extends the lease if it expires in less than LEASE_S - LEASE_RENEW_S. 0, or STORE_BUSY if it was
 * lost.
 */
int lease_renew(struct lease *lease, struct error *err) MUST_USE;

/* Ends the lease, if it was not lost. */
void lease_release(struct lease *lease);
