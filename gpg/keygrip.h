#pragma once

#include "gpg/public-key.h"

/* The key's fingerprint (RFC 4880, section 12.2). 0 or -ENOMEM. */
int public_key_fingerprint(const struct public_key *key,
                           unsigned char ret[FINGERPRINT_SIZE]) MUST_USE;

/*
 * The name under which gpg-agent keeps the secret key (libgcrypt's keygrip). 0; or -EBADMSG if
 * libgcrypt does not accept the key.
 */
int public_key_keygrip(const struct public_key *key, unsigned char ret[KEYGRIP_SIZE]) MUST_USE;
