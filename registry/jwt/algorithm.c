#include "registry/jwt/algorithm.h"

#include <errno.h>
#include <string.h>

static const char *const names[JWT_ALGORITHM_COUNT] = {
    [JWT_ES256] = "ES256", [JWT_ES384] = "ES384", [JWT_ES512] = "ES512", [JWT_EDDSA] = "EdDSA",
    [JWT_RS256] = "RS256", [JWT_RS384] = "RS384", [JWT_RS512] = "RS512", [JWT_PS256] = "PS256",
    [JWT_PS384] = "PS384", [JWT_PS512] = "PS512",
};

const char *jwt_algorithm_name(enum jwt_algorithm algorithm)
{
    return names[algorithm];
}

int jwt_algorithm_parse(const char *name, enum jwt_algorithm *ret)
{
    for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (enum jwt_algorithm)i;
            return 0;
        }
    }
    return -ENOTSUP;
}
