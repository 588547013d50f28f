#pragma once

#include "registry/core/store.h"
#include "registry/storage/storage.h"

/*
 * Claims a repository: shared to put manifests or tags, exclusive to remove them, because a delete
 * first reads which tags and manifests refer to which. Reads and blobs need no claim. *ret is owned
 * by the caller, free with storage_claim_release().
 */
int store_claim(struct store *store, const char *name, enum storage_claim_mode mode,
                struct storage_claim **ret, struct error *err) MUST_USE;
#define CLEANUP_CLAIM CLEANUP(store_claim_releasep)
void store_claim_releasep(struct storage_claim **claim);

/*
 * Write or remove under a claim. They fail with ESTALE if the claim was lost, also if that happened
 * before all was written: then a client must not be told that it was.
 */
int store_write_claimed(struct store *store, struct storage_claim *claim,
                        const struct storage_step *steps, size_t count, struct error *err) MUST_USE;
int store_remove_claimed(struct store *store, struct storage_claim *claim, const char *const *keys,
                         size_t count, struct error *err) MUST_USE;
