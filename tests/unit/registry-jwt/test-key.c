#include "registry/jwt/key.h"

#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "registry/jwt/strict-json.h"
#include "tests/unit/check.h"

static int read_key(const char *text, struct jwt_key **ret, const char **ret_why)
{
    CLEANUP(json_freep) struct json *jwk = NULL;

    assert_int_equal(strict_json_parse(text, strlen(text), &jwk), 0);
    return jwt_key_from_jwk(jwk, ret, ret_why);
}

#define RSA_OF_7515                                                                                \
    "\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"    \
    "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"                                                                  \
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"                     \
    "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"                                                    \
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"  \
    "h9iaGNj8q2ethFkMLs91"                                                                         \
    "kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\""
#define P256_OF_7515                                                                               \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define P521_OF_7515                                                                               \
    "\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"                                                      \
    "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9"                   \
    "tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"                    \
    "x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\""
#define ED25519_OF_8037                                                                            \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

#define CLAIMS_OF_7515                                                                             \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

/* RFC 7515 appendices A.2 to A.4, RFC 8037 appendix A.4. */
static const struct vector {
    const char *name, *jwk, *signed_text, *signature;
    enum jwt_algorithm algorithm;
} vectors[] = {
    {"RFC 7515 A.2", "{" RSA_OF_7515 "}", "eyJhbGciOiJSUzI1NiJ9." CLAIMS_OF_7515,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ"
     "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
     "eSN9383LcOLn6_dO--xi12jzDwusC-e"
     "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igc"
     "N_IoypGlUPQGe77Rw",
     JWT_RS256},
    {"RFC 7515 A.3", "{" P256_OF_7515 "}", "eyJhbGciOiJFUzI1NiJ9." CLAIMS_OF_7515,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
     JWT_ES256},
    {"RFC 7515 A.4", "{" P521_OF_7515 "}", "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
     "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
     "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3"
     "xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
     JWT_ES512},
    {"RFC 8037 A.4", "{" ED25519_OF_8037 "}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
     JWT_EDDSA},
};

static void check_vector(const struct vector *vector)
{
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    unsigned char signature[600];
    const char *why = "", *text = vector->signed_text;
    size_t size;

    assert_case(vector->name, read_key(vector->jwk, &key, &why) == 0);
    assert_case(vector->name, base64url_decode_bare(vector->signature, strlen(vector->signature),
                                                    signature, &size) == 0);
    assert_case(vector->name,
                jwt_key_verify(key, vector->algorithm, text, strlen(text), signature, size) == 0);
    assert_case(vector->name, jwt_key_verify(key, vector->algorithm, text, strlen(text) - 1,
                                             signature, size) != 0);
    for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++)
        assert_case(vector->name,
                    (jwt_key_verify(key, (enum jwt_algorithm)i, text, strlen(text), signature,
                                    size) == 0) == (i == (unsigned)vector->algorithm));
    for (size_t i = 0; i < size; i++) {
        signature[i] ^= 1;
        assert_case(vector->name, jwt_key_verify(key, vector->algorithm, text, strlen(text),
                                                 signature, size) == JWT_KEY_MISMATCH);
        signature[i] ^= 1;
    }
    for (size_t shorter = 0; shorter < size; shorter++)
        assert_case(vector->name, jwt_key_verify(key, vector->algorithm, text, strlen(text),
                                                 signature, shorter) == JWT_KEY_MISMATCH);
}

static void test_published_vectors_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
        check_vector(&vectors[i]);
}

/* CVE-2022-21449: Java took r and s of zero for a signature of anything. */
static void test_ecdsa_numbers_out_of_range_are_no_signature(void **state)
{
    static const char order[] = "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
                                "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    unsigned char signature[64] = {0};
    const char *why;

    (void)state;
    assert_int_equal(read_key("{" P256_OF_7515 "}", &key, &why), 0);
    assert_int_equal(jwt_key_verify(key, JWT_ES256, "x", 1, signature, 64), JWT_KEY_MISMATCH);
    signature[31] = 1;
    assert_int_equal(jwt_key_verify(key, JWT_ES256, "x", 1, signature, 64), JWT_KEY_MISMATCH);
    signature[31] = 0;
    signature[63] = 1;
    assert_int_equal(jwt_key_verify(key, JWT_ES256, "x", 1, signature, 64), JWT_KEY_MISMATCH);
    memcpy(signature, order, 32);
    assert_int_equal(jwt_key_verify(key, JWT_ES256, "x", 1, signature, 64), JWT_KEY_MISMATCH);
    memcpy(signature + 32, order, 32);
    assert_int_equal(jwt_key_verify(key, JWT_ES256, "x", 1, signature, 64), JWT_KEY_MISMATCH);
}

/* RFC 7638 section 3.1, RFC 8037 appendix A.3. */
static void test_thumbprints(void **state)
{
    static const char rsa[] =
        "{\"kty\":\"RSA\",\"n\":"
        "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
        "BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"
        "9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
        "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCu"
        "r-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}";
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL, *other = NULL;
    const char *why;

    (void)state;
    assert_int_equal(read_key(rsa, &key, &why), 0);
    assert_string_equal(jwt_key_get_thumbprint(key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_true(jwt_key_has_id(key, "2011-04-29"));
    assert_false(jwt_key_has_id(key, jwt_key_get_thumbprint(key)));
    assert_int_equal(jwt_key_get_algorithms(key), JWT_BIT(JWT_RS256));
    assert_int_equal(read_key("{" ED25519_OF_8037 "}", &other, &why), 0);
    assert_string_equal(jwt_key_get_thumbprint(other),
                        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_true(jwt_key_has_id(other, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    assert_true(jwt_key_has_id(other, jwt_key_get_libtrust_id(other)));
    assert_int_equal(strlen(jwt_key_get_libtrust_id(other)), 59);
    assert_false(jwt_key_is_equal(key, other));
}

#define Y_CHANGED "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\""

static const char *const unusable[] = {
    "{}",
    "{\"kty\":5}",
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}",
    "{\"kty\":\"RSA\"}",
    "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", /* short */
    "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
    "{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83O\",\"y\":\"x_FEzRu9m36HLN_"
    "tue659LNpXW6pCyStikYjKIWI5a0\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," Y_CHANGED "}", /* not canonical */
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
    "\"y_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
    "{" P256_OF_7515 ",\"use\":\"enc\"}",
    "{" P256_OF_7515 ",\"use\":7}",
    "{" P256_OF_7515 ",\"key_ops\":[\"sign\"]}",
    "{" P256_OF_7515 ",\"alg\":\"ES384\"}",
    "{" P256_OF_7515 ",\"alg\":\"RS256\"}",
    "{" P256_OF_7515 ",\"alg\":\"HS256\"}",
    "{" P256_OF_7515 ",\"alg\":\"none\"}",
    "{" P256_OF_7515 ",\"alg\":null}",
    "{" P256_OF_7515 ",\"kid\":\"\"}",
    "{" P256_OF_7515 ",\"kid\":1}",
};

static void test_keys_that_cannot_verify_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unusable); i++) {
        struct jwt_key *key = NULL;
        const char *why = NULL;

        assert_case(unusable[i],
                    read_key(unusable[i], &key, &why) == JWT_KEY_UNUSABLE && why && !key);
    }
}

/* With an exponent of 1 the signature is the padded digest itself. */
static void test_unsafe_exponents_are_refused(void **state)
{
    static const char *const exponents[] = {"AQ", "Ag", "AAAB", "AQAAAAAAAAAB", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(exponents); i++) {
        char text[600];
        struct jwt_key *key = NULL;
        const char *why = NULL;

        snprintf(text, sizeof(text), "{%.*s%s\"}", (int)(strlen(RSA_OF_7515) - strlen("AQAB\"")),
                 RSA_OF_7515, exponents[i]);
        assert_case(exponents[i], read_key(text, &key, &why) == JWT_KEY_UNUSABLE);
    }
}

static void test_usable_keys(void **state)
{
    static const char *const usable[] = {
        "{" P256_OF_7515 ",\"use\":\"sig\"}",
        "{" P256_OF_7515 ",\"key_ops\":[\"sign\",\"verify\"],\"alg\":\"ES256\"}",
        "{" ED25519_OF_8037 ",\"alg\":\"EdDSA\",\"unknown\":{\"a\":[1]}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(usable); i++) {
        CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
        const char *why = NULL;

        assert_case(usable[i], read_key(usable[i], &key, &why) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors_verify),
        cmocka_unit_test(test_ecdsa_numbers_out_of_range_are_no_signature),
        cmocka_unit_test(test_thumbprints),
        cmocka_unit_test(test_keys_that_cannot_verify_are_refused),
        cmocka_unit_test(test_unsafe_exponents_are_refused),
        cmocka_unit_test(test_usable_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
