#pragma once

#include "common/error.h"
#include "registry/jwt/key.h"

/*
 * Chains of certificates ("x5c", RFC 7515 section 4.1.6), and the authorities that must have signed
 * them.
 */

/* Authorities. They never change, so any thread may use them. */
struct jwt_roots;

/*
 * All certificates in PEM. 0 with *ret owned by the caller (jwt_roots_free), or negative; err
 * begins with source.
 */
int jwt_roots_new(const char *source, const void *text, size_t size, struct jwt_roots **ret,
                  struct error *err) MUST_USE;
void jwt_roots_free(struct jwt_roots *roots); /* takes NULL */

enum { JWT_CHAIN_MAX = 10, JWT_CHAIN_INVALID = 1 };

/*
 * The key of the first certificate of an "x5c" list, owned by the caller (jwt_key_free). With
 * roots, the chain must lead to one of them and all of its certificates must be valid now; with
 * NULL, nothing is checked. 0, JWT_CHAIN_INVALID or -ENOMEM.
 */
int jwt_chain_get_key(const struct json *x5c, const struct jwt_roots *roots,
                      struct jwt_key **ret) MUST_USE;
