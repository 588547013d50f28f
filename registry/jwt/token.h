#pragma once

#include <stdint.h>

#include "registry/jwt/key-set.h"

/*
 * JSON Web Tokens (RFC 7519) in JWS compact serialization (RFC 7515), by the rules of RFC 8725. A
 * token is parsed, then its signature is verified, then its claims are checked. Only then can the
 * claims be read.
 *
 * The token is a secret, so callers keep it in a struct secbuf. Its claims alone are not secret.
 */
struct jwt;

enum { JWT_SIZE_MAX = 16384, JWT_LEEWAY_S = 60 };

/* Why a token is refused. */
enum jwt_fault {
    JWT_MALFORMED = 1,
    JWT_ALGORITHM_REFUSED, /* unknown, not a signature, or not in the caller's list */
    JWT_KEY_UNKNOWN,       /* no key matches its "kid" and algorithm */
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
 * Parses a token. 0 with *ret owned by the caller (jwt_free), an enum jwt_fault, or -ENOMEM. text
 * is borrowed until jwt_free().
 */
int jwt_parse(const char *text, size_t size, struct jwt **ret) MUST_USE;
void jwt_free(struct jwt *token); /* takes NULL */
void jwt_freep(struct jwt **token);

/* Parts of a token that is not verified yet, to choose the keys. NULL if one is missing. */
const char *jwt_peek_issuer(const struct jwt *token);
const char *jwt_peek_key_id(const struct jwt *token);
const struct json *jwt_peek_header(const struct jwt *token);

/*
 * Verifies the signature with the keys that the token's "kid" names or, without "kid", with each
 * key. algorithms are JWT_BIT()s. 0, an enum jwt_fault, or -ENOMEM.
 */
int jwt_verify(struct jwt *token, const struct jwt_key_set *keys, unsigned algorithms) MUST_USE;

/*
 * Verifies the signature with one key, and ignores "kid": for a key from the token itself that was
 * found to be trusted.
 */
int jwt_verify_with(struct jwt *token, const struct jwt_key *key, unsigned algorithms) MUST_USE;

/* The required values of claims. All borrowed. */
struct jwt_expectation {
    const char *issuer;
    const char *audience; /* must be one of the token's audiences */
    const char *type;     /* of the header; NULL: "JWT", "at+jwt", or missing */
    int64_t now_s;        /* since 1970 */
    int64_t leeway_s;     /* how far clocks may differ: JWT_LEEWAY_S */
};

/*
 * Checks "iss", "aud" and "exp", which are required, and "nbf" and "iat". Only for a verified
 * token. 0 or an enum jwt_fault.
 */
int jwt_check(struct jwt *token, const struct jwt_expectation *expected) MUST_USE;

/* The claims, borrowed; NULL before jwt_check() has returned 0. */
const struct json *jwt_get_claims(const struct jwt *token);

/* The value of "exp", in seconds since 1970. Valid if jwt_get_claims() is not NULL. */
int64_t jwt_get_expiry(const struct jwt *token);
