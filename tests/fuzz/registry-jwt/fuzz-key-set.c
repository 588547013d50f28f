/* JSON Web Key Sets: every accepted set has keys that know what they may be used for, and whose names differ by kind. */
#include <string.h>

#include "registry/jwt/key-set.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *set = NULL;
    struct error err = {0};

    REQUIRE(jwt_key_set_new(&set) == 0);
    fuzz_was_accepted = jwt_key_set_add_jwks(set, "keys", data, size, &err) == 0;
    REQUIRE(fuzz_was_accepted || (err.code != 0 && strncmp(err.text, "keys", 4) == 0));
    for (size_t i = 0; i < jwt_key_set_count(set); i++) {
        const struct jwt_key *key = jwt_key_set_get(set, i);

        REQUIRE(jwt_key_get_algorithms(key) != 0 && (jwt_key_get_algorithms(key) & ~JWT_EVERY_ALGORITHM) == 0);
        REQUIRE(strlen(jwt_key_get_thumbprint(key)) == JWT_THUMBPRINT_SIZE - 1);
        REQUIRE(strlen(jwt_key_get_libtrust_id(key)) == JWT_LIBTRUST_ID_SIZE - 1);
        REQUIRE(jwt_key_verify(key, JWT_ES256, "x", 1, data, size) != 0);
    }
    REQUIRE(!fuzz_was_accepted || jwt_key_set_count(set) > 0);
    return 0;
}
