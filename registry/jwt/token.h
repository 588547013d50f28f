#pragma once

#include <stdint.h>

#include "registry/jwt/key-set.h"

/*
 * JSON Web Tokens (RFC 7519) in JWS compact serialization (RFC 7515), read by the rules of RFC
 * 8725. A token is parsed, its signature is verified, and its claims are checked; only after both
 * can they be read.
 *
 * The signed text and the signature together are a secret: callers keep the token in a struct
 * secbuf. What is in the claims is not secret.
 */
struct jwt;

enum { JWT_SIZE_MAX = 16384, JWT_LEEWAY_S = 60 };

/* Why a token is refused. */
enum jwt_fault {
    JWT_MALFORMED = 1,
    JWT_ALGORITHM_REFUSED, /* unknown, not a public-key signature, or not in the caller's list */
    JWT_KEY_UNKNOWN,       /* no key has its "kid" and fits its algorithm */
    JWT_SIGNATURE_WRONG,
    JWT_TYPE_WRONG,
    JWT_ISSUER_WRONG,
    JWT_AUDIENCE_WRONG,
    JWT_EXPIRED,
    JWT_NOT_YET_VALID,
};

/* "it has expired" */
const char *jwt_fault_text(enum jwt_fault fault);

/*
 * 0 with *ret owned by the caller (jwt_free), an enum jwt_fault, or -ENOMEM. text is borrowed until
 * then.
 */
int jwt_parse(const char *text, size_t size, struct jwt **ret) MUST_USE;
void jwt_free(struct jwt *token); /* takes NULL */
void jwt_freep(struct jwt **token);

/* Members of the header, not verified, for choosing keys. NULL if one is missing. */
const char *jwt_peek_issuer(const struct jwt *token);
const char *jwt_peek_key_id(const struct jwt *token);
const struct json *jwt_peek_header(const struct jwt *token);

/*
 * Verifies the signature with the keys that the token's "kid" names, or with each key if it names
 * none. algorithms are JWT_BIT()s. 0, an enum jwt_fault, or -ENOMEM.
 */
int jwt_verify(struct jwt *token, const struct jwt_key_set *keys, unsigned algorithms) MUST_USE;

/*
 * The same with one key, whatever the token calls it: a key that came with the token and was found
 * to be trusted.
 */
int jwt_verify_with(struct jwt *token, const struct jwt_key *key, unsigned algorithms) MUST_USE;

/* The values that claims must have; all borrowed. */
struct jwt_expectation {
    const char *issuer;
    const char *audience; /* one of those of the token */
    const char *type;     /* of the header; NULL: "JWT", "at+jwt", or none */
    int64_t now_s;        /* since 1970 */
    int64_t leeway_s;     /* how far clocks may differ: JWT_LEEWAY_S */
};

/*
 * Checks "iss", "aud", "exp" (which must be there), "nbf" and "iat". Only for a verified token. 0
 * or an enum jwt_fault.
 */
int jwt_check(struct jwt *token, const struct jwt_expectation *expected) MUST_USE;

/* The claims, once both of the above have returned 0; NULL before. Borrowed. */
const struct json *jwt_get_claims(const struct jwt *token);

/* When it expires, in seconds since 1970; valid when jwt_get_claims() is not NULL. */
int64_t jwt_get_expiry(const struct jwt *token);
