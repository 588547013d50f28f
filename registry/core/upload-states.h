#pragma once

#include <stdint.h>

#include "common/digest.h"

/*
 * What is known of upload sessions in memory: which ones are being written to, and the digests of
 * the others as far as they were computed. The latter is bounded in number and in time; what
 * is forgotten costs a second reading of the bytes. From any thread.
 */
struct upload_states;

struct upload_states *upload_states_new(void); /* NULL: out of memory */
void upload_states_free(struct upload_states *states);

/* The digests of the first `hashed` bytes. */
struct upload_hash {
    struct hasher *sha256; /* either may be NULL */
    struct hasher *sha512;
    uint64_t hashed;
};
void upload_hash_done(struct upload_hash *hash);

/*
 * Claims a session for one writer, and takes out what is known of its digest. 0 with *ret the
 * caller's; -EBUSY where another has it and does not end within patience_ms; -ENOMEM.
 */
int upload_states_claim(struct upload_states *states, const char *name, const char *id, unsigned patience_ms,
                        struct upload_hash *ret) MUST_USE;

/* Ends a claim; takes ownership of what hash holds, which is kept if keep is true. */
void upload_states_release(struct upload_states *states, const char *name, const char *id, struct upload_hash *hash,
                           bool keep);
