#pragma once

#include <stdint.h>

#include "common/digest.h"
#include "registry/storage/storage.h"

/*
 * Unfinished hashes of uploads that no request is writing to. They are bounded in number and in time; if one was forgotten,
 * the bytes are read again. A digest is kept together with the upload's state at the end of the claim,
 * and is used only while the upload has that state: another server may have gone on with it. From any thread.
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
void upload_hash_done(struct upload_hash *hash);

/* Takes out the hashes of an upload that has that state; none if it has another state. *ret is the caller's. */
void upload_hashes_take(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *ret);

/* Keeps it for later; takes ownership of what hash holds. Without memory it is forgotten. */
void upload_hashes_keep(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *hash);
