#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

#include "registry/jwt/algorithm.h"

/* The supported elliptic curves (RFC 7518 section 6.2.1.1, RFC 8037). */
struct jwt_curve {
    const char *name; /* in a JWK: "P-256" */
    gnutls_ecc_curve_t curve;
    enum jwt_algorithm algorithm; /* the only one for keys with this curve */
    size_t coordinate_size;       /* bytes */
};

/* These return NULL if the curve is not supported. */
const struct jwt_curve *jwt_curve_find(gnutls_ecc_curve_t curve);
const struct jwt_curve *jwt_curve_of_algorithm(enum jwt_algorithm algorithm);

/* The kinds of curves, which JWKs call EC and OKP. */
enum jwt_curve_kind { JWT_CURVE_ECDSA, JWT_CURVE_EDDSA };

/* name may be NULL. */
const struct jwt_curve *jwt_curve_of_name(enum jwt_curve_kind kind, const char *name);
