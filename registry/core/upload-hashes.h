#pragma once

#include <stdint.h>

#include "common/digest.h"
#include "registry/storage/storage.h"

/*
 * Unfinished hashes of uploads that no request is writing to. Their number and age are bounded; if
 * one was dropped, the bytes are read again. A hash is kept together with the upload's state at the
 * end of the claim, and is used only if the upload still has that state, because another server may
 * have continued it. Any thread may call it.
 */
struct upload_hashes;

struct upload_hashes *upload_hashes_new(void); /* NULL: out of memory */
void upload_hashes_free(struct upload_hashes *hashes);

/* The digests of the first `hashed` bytes. */
struct upload_hash {
    struct hasher *sha256; /* either may be NULL */
    struct hasher *sha512;
    uint64_t hashed;
};

/* Starts the hashes that a digest of this algorithm needs. 0 or -ENOMEM. */
int upload_hash_new(enum digest_algorithm algorithm, struct upload_hash *ret) MUST_USE;
void upload_hash_write(struct upload_hash *hash, const void *data, size_t size);
void upload_hash_done(struct upload_hash *hash);

/*
 * Removes and returns the hashes of an upload that has that state; empty if there are none. *ret is
 * owned by the caller.
 */
void upload_hashes_take(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *ret);

/*
 * Keeps hashes for later and takes ownership of their content. They are dropped if memory is
 * exhausted.
 */
void upload_hashes_keep(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *hash);
