#pragma once

#include "common/error.h"
#include "registry/jwt/key.h"

/*
 * A set of keys that verify tokens, from a JSON Web Key Set or from certificates. Once filled, a
 * set does not change, and any thread may use it. Its references are counted.
 */
struct jwt_key_set;

enum { JWT_KEYS_MAX = 256 };

int jwt_key_set_new(struct jwt_key_set **ret) MUST_USE; /* an empty set. 0 or -ENOMEM */
struct jwt_key_set *jwt_key_set_ref(struct jwt_key_set *set);
void jwt_key_set_unref(struct jwt_key_set *set); /* takes NULL */
void jwt_key_set_unrefp(struct jwt_key_set **set);

/* Takes ownership of key in any case. 0, or -E2BIG for more than JWT_KEYS_MAX. */
int jwt_key_set_add(struct jwt_key_set *set, struct jwt_key *key) MUST_USE;

/*
 * Adds the keys of a JSON Web Key Set (RFC 7517 section 5). Skips keys that cannot verify a token,
 * such as those of other types. 0 or negative; then err begins with source. A set without a usable
 * key is an error. So is a private key, because everybody who can read the file could sign tokens.
 */
int jwt_key_set_add_jwks(struct jwt_key_set *set, const char *source, const void *text, size_t size,
                         struct error *err) MUST_USE;

/* Adds the keys of all certificates in a PEM text. Returns like jwt_key_set_add_jwks(). */
int jwt_key_set_add_certificates(struct jwt_key_set *set, const char *source, const void *text,
                                 size_t size, struct error *err) MUST_USE;

size_t jwt_key_set_count(const struct jwt_key_set *set);
const struct jwt_key *jwt_key_set_get(const struct jwt_key_set *set, size_t index);
