#pragma once

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/jwt/key.h"

/*
 * A private key that signs tokens: Ed25519 (JWT_EDDSA) or P-256 (JWT_ES256). It never changes, so
 * any thread may use it. Like the server's TLS key, it is in GnuTLS's memory, not in secure memory.
 */
struct jwt_signer;

/* Makes a new key. 0 with *ret owned by the caller (jwt_signer_free), or negative. */
int jwt_signer_generate(enum jwt_algorithm algorithm, struct jwt_signer **ret,
                        struct error *err) MUST_USE;

/*
 * Reads a key in PEM (PKCS #8), as jwt_signer_export() writes it. Returns like
 * jwt_signer_generate().
 */
int jwt_signer_import(const struct secbuf *pem, struct jwt_signer **ret,
                      struct error *err) MUST_USE;

/* Appends the key in PEM. 0 or negative. */
int jwt_signer_export(const struct jwt_signer *signer, struct secbuf *ret_pem,
                      struct error *err) MUST_USE;

void jwt_signer_free(struct jwt_signer *signer); /* takes NULL */
void jwt_signer_freep(struct jwt_signer **signer);

/* The "kid" of its tokens: the key's thumbprint. */
const char *jwt_signer_get_id(const struct jwt_signer *signer);

/*
 * Gets the public half, with the same name. 0 with *ret owned by the caller (jwt_key_free), or
 * -ENOMEM.
 */
int jwt_signer_get_key(const struct jwt_signer *signer, struct jwt_key **ret) MUST_USE;

/*
 * Signs claims, the text of a JSON object, and appends the token to ret_token. type becomes "typ"
 * in the header; it must need no escapes in JSON. 0 or -ENOMEM.
 */
int jwt_sign(const struct jwt_signer *signer, const char *type, const void *claims, size_t size,
             struct secbuf *ret_token) MUST_USE;
