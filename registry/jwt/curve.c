#include "registry/jwt/curve.h"

#include <string.h>

#include "common/macros.h"

static const struct jwt_curve curves[] = {
    {"P-256", GNUTLS_ECC_CURVE_SECP256R1, JWT_ES256, 32},
    {"P-384", GNUTLS_ECC_CURVE_SECP384R1, JWT_ES384, 48},
    {"P-521", GNUTLS_ECC_CURVE_SECP521R1, JWT_ES512, 66},
    {"Ed25519", GNUTLS_ECC_CURVE_ED25519, JWT_EDDSA, 32},
};

const struct jwt_curve *jwt_curve_find(gnutls_ecc_curve_t curve)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].curve == curve)
            return &curves[i];
    return NULL;
}

const struct jwt_curve *jwt_curve_of_algorithm(enum jwt_algorithm algorithm)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].algorithm == algorithm)
            return &curves[i];
    return NULL;
}

const struct jwt_curve *jwt_curve_of_name(enum jwt_curve_kind kind, const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(curves); i++)
        if ((curves[i].algorithm == JWT_EDDSA) == (kind == JWT_CURVE_EDDSA) &&
            strcmp(curves[i].name, name) == 0)
            return &curves[i];
    return NULL;
}
