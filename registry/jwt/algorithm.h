#pragma once

#include "common/macros.h"

/*
 * The supported signatures (RFC 7518 section 3, RFC 8037). "none" and the HMACs have no number
 * here, so no list of allowed algorithms can contain them.
 */
enum jwt_algorithm {
    JWT_ES256,
    JWT_ES384,
    JWT_ES512,
    JWT_EDDSA, /* with Ed25519 */
    JWT_RS256,
    JWT_RS384,
    JWT_RS512,
    JWT_PS256,
    JWT_PS384,
    JWT_PS512,
    JWT_ALGORITHM_COUNT,
};

/* For sets of them. */
#define JWT_BIT(algorithm) (1U << (algorithm))
#define JWT_EVERY_ALGORITHM (JWT_BIT(JWT_ALGORITHM_COUNT) - 1)

/* "ES256" */
const char *jwt_algorithm_name(enum jwt_algorithm algorithm);

/* 0, or -ENOTSUP for every other name. */
int jwt_algorithm_parse(const char *name, enum jwt_algorithm *ret) MUST_USE;
