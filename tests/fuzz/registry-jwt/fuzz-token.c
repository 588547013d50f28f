/*
 * Tokens: any bytes are parsed without harm, what is accepted is in the one canonical form, and no claims can be read
 * before a signature was verified, which these inputs cannot have.
 */
#include <string.h>

#include "registry/jwt/token.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static const char jwks[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static bool is_canonical(const uint8_t *data, size_t size)
{
    size_t dots = 0;

    for (size_t i = 0; i < size; i++) {
        dots += data[i] == '.';
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", data[i]) || !data[i])
            return false;
    }
    return dots == 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt_key_set *keys;
    static const struct jwt_expectation expected = {.issuer = "i", .audience = "a", .now_s = 1500, .leeway_s = 60};
    CLEANUP(jwt_freep) struct jwt *token = NULL;
    struct error err;

    if (!keys)
        REQUIRE(jwt_key_set_new(&keys) == 0 && jwt_key_set_add_jwks(keys, "keys", jwks, strlen(jwks), &err) == 0);
    fuzz_was_accepted = jwt_parse((const char *)data, size, &token) == 0;
    if (!fuzz_was_accepted)
        return 0;
    REQUIRE(is_canonical(data, size));
    jwt_peek_issuer(token);
    if (jwt_verify(token, keys, JWT_EVERY_ALGORITHM) == 0)
        REQUIRE(jwt_check(token, &expected) != 0); /* the RFC's example, which is for nobody */
    else
        REQUIRE(jwt_check(token, &expected) == JWT_SIGNATURE_WRONG);
    REQUIRE(!jwt_get_claims(token));
    return 0;
}
