#include "registry/jwt/key-set.h"

#include <string.h>

#include "tests/unit/check.h"

#define P256                                                                                       \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define ED25519                                                                                    \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

/* The number of keys, or negative. */
static int count(const char *text, struct error *err)
{
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *set = NULL;
    int r;

    assert_int_equal(jwt_key_set_new(&set), 0);
    r = jwt_key_set_add_jwks(set, "keys.json", text, strlen(text), err);
    return r < 0 ? r : (int)jwt_key_set_count(set);
}

static void test_sets(void **state)
{
    static const struct {
        const char *text;
        int keys;
    } rows[] = {
        {"{\"keys\":[{" P256 "}]}", 1},
        {"{\"keys\":[{" P256 ",\"kid\":\"a\"},{" ED25519 ",\"kid\":\"b\"}],\"more\":5}", 2},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"AKP\"},{" P256
         ",\"use\":\"enc\"},7,{" ED25519 "}]}",
         1},
        {"\n {\"keys\" : [ {" P256 "} ] }\n", 1},
    };
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_case(rows[i].text, count(rows[i].text, &err) == rows[i].keys);
}

static void test_mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "keys.json is not a JSON object"},
        {"{", "keys.json is not a JSON object"},
        {"[]", "keys.json is not a JSON object"},
        {"{}", "keys.json is not a JSON Web Key Set"},
        {"{\"keys\":{}}", "keys.json is not a JSON Web Key Set"},
        {"{\"keys\":[]}", "keys.json has no key that can verify a token"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
         "the last one: its type is not supported"},
        {"{\"keys\":[{" P256 "}],\"keys\":[]}", "has a name twice"},
        {"{\"keys\":[{" P256 ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}]}",
         "has a private key"},
        {"{\"keys\":[{" P256 ",\"x5c\":[\"AAAA\"]}]}", "its x5c is not a certificate of the key"},
        {"{\"keys\":[{" P256 ",\"x5c\":\"AAAA\"}]}", "its x5c is not a certificate of the key"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err = {0};

        assert_case(rows[i].text, count(rows[i].text, &err) < 0);
        assert_says(&err, rows[i].says);
    }
}

static void test_too_many_keys_are_refused(void **state)
{
    static const char key[] = "{" ED25519 "},";
    size_t size = 0;
    CLEANUP_FREE char *text = malloc((JWT_KEYS_MAX + 1) * sizeof(key) + 100);
    struct error err = {0};

    (void)state;
    assert_non_null(text);
    memcpy(text, "{\"keys\":[", 9);
    size = 9;
    for (int i = 0; i <= JWT_KEYS_MAX; i++) {
        memcpy(text + size, key, sizeof(key) - 1);
        size += sizeof(key) - 1;
    }
    memcpy(text + size - 1, "]}", 3);
    assert_true(count(text, &err) < 0);
    assert_says(&err, "has more than 256 keys");
}

static void test_certificates_must_be_pem(void **state)
{
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *set = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(jwt_key_set_new(&set), 0);
    assert_true(jwt_key_set_add_certificates(set, "root.pem", "nothing", 7, &err) < 0);
    assert_says(&err, "root.pem contains no certificates in PEM");
    assert_int_equal(jwt_key_set_count(set), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_too_many_keys_are_refused),
        cmocka_unit_test(test_certificates_must_be_pem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
