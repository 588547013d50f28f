#pragma once

#include <stdint.h>

#include "common/digest.h"
#include "registry/storage/storage.h"

/*
 * The digests of uploads that nobody is writing to, as far as they were computed. They are bounded in number and in time;
 * for a forgotten one the bytes are read again. A digest is kept together with the upload's state at the end of the claim,
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

/* Takes out what is known of an upload that has that state; nothing if it has another. *ret is the caller's. */
void upload_hashes_take(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *ret);

/* Keeps it for later; takes ownership of what hash holds. Without memory it is forgotten. */
void upload_hashes_keep(struct upload_hashes *hashes, const char *name, const char *id,
                        const struct storage_upload_state *state, struct upload_hash *hash);
