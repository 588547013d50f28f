#pragma once

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/jwt/key.h"

/*
 * A private key that signs tokens: Ed25519 (JWT_EDDSA) or P-256 (JWT_ES256). It never changes, so
 * any thread may use it. The key lies in GnuTLS's memory, not in secure memory, as the server's TLS
 * key does.
 */
struct jwt_signer;

/* A new key. 0 with *ret owned by the caller (jwt_signer_free), or negative. */
int jwt_signer_generate(enum jwt_algorithm algorithm, struct jwt_signer **ret,
                        struct error *err) MUST_USE;

/* A key in PEM (PKCS #8), as jwt_signer_export() writes it. As above. */
int jwt_signer_import(const struct secbuf *pem, struct jwt_signer **ret,
                      struct error *err) MUST_USE;

/* Appends the key in PEM. 0 or negative. */
int jwt_signer_export(const struct jwt_signer *signer, struct secbuf *ret_pem,
                      struct error *err) MUST_USE;

void jwt_signer_free(struct jwt_signer *signer); /* takes NULL */
void jwt_signer_freep(struct jwt_signer **signer);

/* The "kid" of its tokens: the key's thumbprint. */
const char *jwt_signer_get_id(const struct jwt_signer *signer);

/* The public half, under that name; owned by the caller (jwt_key_free). 0 or -ENOMEM. */
int jwt_signer_get_key(const struct jwt_signer *signer, struct jwt_key **ret) MUST_USE;

/*
 * Signs claims, the text of a JSON object; type becomes "typ" in the header, and needs no escaping
 * in JSON. Appends the token. 0 or -ENOMEM.
 */
int jwt_sign(const struct jwt_signer *signer, const char *type, const void *claims, size_t size,
             struct secbuf *ret_token) MUST_USE;
