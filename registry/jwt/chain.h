#pragma once

#include "common/error.h"
#include "registry/jwt/key.h"

/*
 * Certificate chains ("x5c", RFC 7515 section 4.1.6), and the authorities that must have signed
 * them.
 */

/* A set of authorities. It never changes, so any thread may use it. */
struct jwt_roots;

/*
 * Reads all certificates in a PEM text. 0 with *ret owned by the caller (jwt_roots_free), or
 * negative; err begins with source.
 */
int jwt_roots_new(const char *source, const void *text, size_t size, struct jwt_roots **ret,
                  struct error *err) MUST_USE;
void jwt_roots_free(struct jwt_roots *roots); /* takes NULL */

enum { JWT_CHAIN_MAX = 10, JWT_CHAIN_INVALID = 1 };

/*
 * Gets the key of the first certificate in an "x5c" list. With roots, the chain must lead to one of
 * them and all of its certificates must be valid now; if roots is NULL, nothing is checked. 0 with
 * *ret owned by the caller (jwt_key_free), JWT_CHAIN_INVALID or -ENOMEM.
 */
int jwt_chain_get_key(const struct json *x5c, const struct jwt_roots *roots,
                      struct jwt_key **ret) MUST_USE;
