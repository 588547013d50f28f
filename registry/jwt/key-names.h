#pragma once

#include <gnutls/abstract.h>

#include "registry/jwt/key.h"

/*
 * The names of a key that others compute from the key. The key must be RSA or have a curve of
 * registry/jwt/curve.h. 0 or -ENOMEM.
 */

/* RFC 7638: the SHA-256 of the key as a JSON object, in base64url. */
int key_names_thumbprint(gnutls_pubkey_t key, char ret_text[JWT_THUMBPRINT_SIZE]) MUST_USE;

/* docker's libtrust: the first 240 bits of the SHA-256 of its SubjectPublicKeyInfo, in base32. */
int key_names_libtrust_id(gnutls_pubkey_t key, char ret_text[JWT_LIBTRUST_ID_SIZE]) MUST_USE;
