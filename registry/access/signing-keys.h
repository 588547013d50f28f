#pragma once

#include <stdint.h>

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/jwt/signer.h"
#include "registry/jwt/token.h"
#include "registry/storage/storage.h"

/*
 * The keys that sign access tokens. They are in the storage, so all its servers accept each other's
 * tokens. They are numbered; the newest one that every server knows signs, and the others only
 * verify (docs/tokens.md).
 *
 * Any thread may call these functions. Signing and verifying do not wait.
 */
struct signing_keys;

enum {
    SIGNING_KEYS_LIFE_S = 30 * 24 * 3600, /* the age at which the next key is made */
    SIGNING_KEYS_SPREAD_S =
        300, /* the age at which a key signs, because every server has read it */
    SIGNING_KEYS_REFRESH_S = 60, /* a server must read the keys at least this often */
    /* How long the previous key is accepted: the life of a token, and the difference of clocks. */
    SIGNING_KEYS_OVERLAP_S = 900,
};

/*
 * Reads the keys, or creates the first one. storage is borrowed. 0 with *ret owned by the caller
 * (signing_keys_close), or negative.
 */
int signing_keys_open(struct storage *storage, struct signing_keys **ret,
                      struct error *err) MUST_USE;
void signing_keys_close(struct signing_keys *keys); /* takes NULL */

/*
 * Reads the keys again, makes the next one when it is time, and removes those that are no longer
 * needed. Waits for the storage. 0, or negative; then the keys are as before.
 */
int signing_keys_refresh(struct signing_keys *keys, struct error *err) MUST_USE;

/* Makes the next key now. Waits. 0, also if another server has just made it, or negative. */
int signing_keys_rotate(struct signing_keys *keys, struct error *err) MUST_USE;

/*
 * Makes the next key now, and removes all keys before it, because one may have been stolen. The new
 * key signs at once. Other servers follow within SIGNING_KEYS_REFRESH_S. Waits. 0 or negative.
 */
int signing_keys_distrust(struct signing_keys *keys, struct error *err) MUST_USE;

/*
 * Changes when a key is no longer accepted. Tokens that were verified earlier must then be verified
 * again.
 */
uint64_t signing_keys_get_generation(struct signing_keys *keys);

/* Signs the text of a JSON object, and appends the token. 0 or -ENOMEM. */
int signing_keys_sign(struct signing_keys *keys, const void *claims, size_t size,
                      struct secbuf *ret_token) MUST_USE;

/* Like jwt_verify(), with these keys and only their algorithm. */
int signing_keys_verify(struct signing_keys *keys, struct jwt *token) MUST_USE;
