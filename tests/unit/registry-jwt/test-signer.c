#include "registry/jwt/signer.h"

#include <string.h>

#include "registry/jwt/token.h"
#include "tests/unit/check.h"

static const char claims[] = "{\"iss\":\"a\",\"aud\":\"b\",\"exp\":2000,\"sub\":\"alice\"}";
static const struct jwt_expectation expected = {
    .issuer = "a", .audience = "b", .type = "at+jwt", .now_s = 1500, .leeway_s = JWT_LEEWAY_S};

static struct jwt_key_set *set_of(const struct jwt_signer *signer)
{
    struct jwt_key_set *set = NULL;
    struct jwt_key *key = NULL;

    assert_int_equal(jwt_key_set_new(&set), 0);
    assert_int_equal(jwt_signer_get_key(signer, &key), 0);
    assert_int_equal(jwt_key_set_add(set, key), 0);
    return set;
}

static int judge(const struct secbuf *text, const struct jwt_key_set *keys,
                 enum jwt_algorithm algorithm)
{
    CLEANUP(jwt_freep) struct jwt *token = NULL;
    int r = jwt_parse((const char *)text->data, text->size, &token);

    if (r == 0)
        r = jwt_verify(token, keys, JWT_BIT(algorithm));
    return r == 0 ? jwt_check(token, &expected) : r;
}

/* Numbers with leading zeros come up once in some dozen signatures of ECDSA. */
static void check_algorithm(enum jwt_algorithm algorithm)
{
    CLEANUP(jwt_signer_freep) struct jwt_signer *signer = NULL, *again = NULL, *other = NULL;
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *keys = NULL, *others = NULL;
    CLEANUP(secbuf_done) struct secbuf pem = {0};
    struct error err = {0};

    assert_int_equal(jwt_signer_generate(algorithm, &signer, &err), 0);
    assert_int_equal(jwt_signer_generate(algorithm, &other, &err), 0);
    assert_int_equal(jwt_signer_export(signer, &pem, &err), 0);
    assert_int_equal(jwt_signer_import(&pem, &again, &err), 0);
    assert_string_equal(jwt_signer_get_id(signer), jwt_signer_get_id(again));
    assert_string_not_equal(jwt_signer_get_id(signer), jwt_signer_get_id(other));
    keys = set_of(again);
    others = set_of(other);
    for (int i = 0; i < 300; i++) {
        CLEANUP(secbuf_done) struct secbuf token = {0};

        assert_int_equal(secbuf_append(&token, "before", 6), 0);
        assert_int_equal(jwt_sign(signer, "at+jwt", claims, strlen(claims), &token), 0);
        assert_memory_equal(token.data, "before", 6);
        memmove(token.data, token.data + 6, token.size - 6);
        secbuf_truncate(&token, token.size - 6);
        assert_int_equal(judge(&token, keys, algorithm), 0);
        if (i == 0)
            assert_int_equal(judge(&token, others, algorithm), JWT_KEY_UNKNOWN);
    }
}

static void test_ed25519(void **state)
{
    (void)state;
    check_algorithm(JWT_EDDSA);
}

static void test_es256(void **state)
{
    (void)state;
    check_algorithm(JWT_ES256);
}

static void test_only_private_keys_of_these_types_are_imported(void **state)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct jwt_signer *signer = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(
        secbuf_append(&text, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 56),
        0);
    assert_true(jwt_signer_import(&text, &signer, &err) < 0);
    assert_says(&err, "is not valid PEM");
    assert_null(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_es256),
        cmocka_unit_test(test_only_private_keys_of_these_types_are_imported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
