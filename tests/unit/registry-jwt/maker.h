#pragma once

#include "registry/jwt/token.h"

/*
 * Tokens for tests, also such as nobody should accept. Keys that are for nothing else lie in
 * maker.c.
 */

enum maker_key { MAKER_P256, MAKER_P384, MAKER_RSA, MAKER_ED25519, MAKER_KEYS };

/* The public half, without a name of its own; to be freed with jwt_key_free(). */
struct jwt_key *maker_get_key(enum maker_key which);

/* A set of the public halves of all keys, or of one. */
struct jwt_key_set *maker_get_all(void);
struct jwt_key_set *maker_get_set(enum maker_key which);

/* "HEADER.CLAIMS.SIGNATURE" with a valid signature of the algorithm; to be freed. */
char *maker_sign(const char *header, const char *claims, enum maker_key which,
                 enum jwt_algorithm algorithm);

/* The same with any bytes for a signature. */
char *maker_join(const char *header, const char *claims, const void *signature, size_t size);

/* The P-256 key as a key set, in which it has this name; to be freed. */
char *maker_make_jwks(const char *kid);
