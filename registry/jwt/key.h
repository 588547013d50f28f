#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"
#include "registry/jwt/algorithm.h"

/*
 * A public key that verifies signatures. Its type, not the token, decides which algorithms it may
 * be used with: P-256 ES256, P-384 ES384, P-521 ES512, Ed25519 EdDSA, RSA RS* and PS*. A JWK may
 * restrict it to one algorithm. A key never changes, so any thread may use it.
 */
struct jwt_key;

struct gnutls_pubkey_st;
struct gnutls_x509_crt_int;

/* RSA keys have 2048 to 8192 bits. A larger one would make each token expensive to verify. */
enum { JWT_RSA_BITS_MIN = 2048, JWT_RSA_BITS_MAX = 8192 };

enum {
    JWT_THUMBPRINT_SIZE = 44,  /* RFC 7638: SHA-256 in base64url, and a NUL */
    JWT_LIBTRUST_ID_SIZE = 60, /* "PYYO:TEWU:...": twelve groups, and a NUL */
};

enum { JWT_KEY_UNUSABLE = 1 };

/*
 * Parses a JSON Web Key (RFC 7517). 0 with *ret owned by the caller (jwt_key_free), -ENOMEM, or
 * JWT_KEY_UNUSABLE with the reason in *ret_why: "its type is not supported".
 */
int jwt_key_from_jwk(const struct json *jwk, struct jwt_key **ret, const char **ret_why) MUST_USE;

/* Takes ownership of public_key in any case. kid may be NULL. Returns like jwt_key_from_jwk(). */
int jwt_key_from_gnutls(struct gnutls_pubkey_st *public_key, const char *kid, struct jwt_key **ret,
                        const char **ret_why) MUST_USE;

/* The key that a certificate is for. Returns like jwt_key_from_jwk(). */
int jwt_key_from_certificate(struct gnutls_x509_crt_int *certificate, struct jwt_key **ret,
                             const char **ret_why) MUST_USE;

void jwt_key_free(struct jwt_key *key); /* takes NULL */
void jwt_key_freep(struct jwt_key **key);

/* JWT_BIT()s of the algorithms that the key may be used with. */
unsigned jwt_key_get_algorithms(const struct jwt_key *key);

/*
 * Whether a token's "kid" means this key: its given name or, without one, its thumbprint or
 * libtrust ID.
 */
bool jwt_key_has_id(const struct jwt_key *key, const char *kid);

const char *jwt_key_get_thumbprint(const struct jwt_key *key);
const char *jwt_key_get_libtrust_id(const struct jwt_key *key);

enum { JWT_KEY_MISMATCH = 1 };

/*
 * Verifies a signature in the form of RFC 7518. 0, JWT_KEY_MISMATCH (also if the key may not be
 * used with the algorithm), or -ENOMEM.
 */
int jwt_key_verify(const struct jwt_key *key, enum jwt_algorithm algorithm, const void *data,
                   size_t size, const void *signature, size_t signature_size) MUST_USE;

/* Whether both are the same key. Their names do not matter. */
bool jwt_key_is_equal(const struct jwt_key *a, const struct jwt_key *b);
