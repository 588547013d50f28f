#include "registry/jwt/chain.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "registry/jwt/key-set.h"
#include "registry/jwt/strict-json.h"
#include "tests/unit/check.h"

/* A certificate with its key. */
struct party {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

enum kind { AUTHORITY, LEAF, LEAF_OF_THE_PAST };

/* Signed by itself without an issuer. */
static struct party make_party(const char *name, enum kind kind, const struct party *issuer)
{
    struct party party;
    unsigned char serial = (unsigned char)(strlen(name) + 1);
    time_t now = time(NULL), from = kind == LEAF_OF_THE_PAST ? now - 7200 : now - 60;

    assert_int_equal(gnutls_x509_privkey_init(&party.key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(party.key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                                  0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&party.certificate), 0);
    assert_int_equal(gnutls_x509_crt_set_version(party.certificate, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(party.certificate, &serial, 1), 0);
    assert_int_equal(gnutls_x509_crt_set_dn_by_oid(party.certificate, GNUTLS_OID_X520_COMMON_NAME,
                                                   0, name, (unsigned)strlen(name)),
                     0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(party.certificate, from), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(party.certificate, from + 3600), 0);
    assert_int_equal(
        gnutls_x509_crt_set_basic_constraints(party.certificate, kind == AUTHORITY, -1), 0);
    assert_int_equal(gnutls_x509_crt_set_key(party.certificate, party.key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(party.certificate,
                                           issuer ? issuer->certificate : party.certificate,
                                           issuer ? issuer->key : party.key, GNUTLS_DIG_SHA256, 0),
                     0);
    return party;
}

static void free_party(struct party *party)
{
    gnutls_x509_privkey_deinit(party->key);
    gnutls_x509_crt_deinit(party->certificate);
}

static char *export(const struct party *party, gnutls_x509_crt_fmt_t format)
{
    gnutls_datum_t datum, text;
    char *copy;

    assert_int_equal(gnutls_x509_crt_export2(party->certificate, format, &datum), 0);
    if (format == GNUTLS_X509_FMT_PEM) {
        copy = strndup((const char *)datum.data, datum.size);
    } else {
        assert_int_equal(gnutls_base64_encode2(&datum, &text), 0);
        copy = strndup((const char *)text.data, text.size);
        gnutls_free(text.data);
    }
    gnutls_free(datum.data);
    return copy;
}

static struct jwt_roots *roots_of(const struct party *party)
{
    CLEANUP_FREE char *pem = export(party, GNUTLS_X509_FMT_PEM);
    struct jwt_roots *roots = NULL;
    struct error err = {0};

    assert_int_equal(jwt_roots_new("root.pem", pem, strlen(pem), &roots, &err), 0);
    return roots;
}

/* The result for a chain of one or two. */
static int judge(const struct party *first, const struct party *second,
                 const struct jwt_roots *roots)
{
    CLEANUP_FREE char *one = export(first, GNUTLS_X509_FMT_DER);
    CLEANUP_FREE char *two = second ? export(second, GNUTLS_X509_FMT_DER) : NULL;
    CLEANUP(json_freep) struct json *document = NULL;
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    char text[8000];
    int r;

    snprintf(text, sizeof(text), two ? "{\"x5c\":[\"%s\",\"%s\"]}" : "{\"x5c\":[\"%s\"]}", one,
             two ? two : "");
    assert_int_equal(strict_json_parse(text, strlen(text), &document), 0);
    r = jwt_chain_get_key(json_find(document, "x5c"), roots, &key);
    assert_true((key != NULL) == (r == 0));
    return r;
}

static void test_chains(void **state)
{
    CLEANUP(free_party) struct party root = make_party("root", AUTHORITY, NULL);
    CLEANUP(free_party) struct party middle = make_party("middle", AUTHORITY, &root);
    CLEANUP(free_party) struct party leaf = make_party("leaf", LEAF, &root);
    CLEANUP(free_party) struct party below = make_party("below", LEAF, &middle);
    CLEANUP(free_party) struct party past = make_party("past", LEAF_OF_THE_PAST, &root);
    CLEANUP(free_party) struct party by_leaf = make_party("by leaf", LEAF, &leaf);
    CLEANUP(free_party) struct party same_name = make_party("root", AUTHORITY, NULL);
    CLEANUP(free_party) struct party by_same_name = make_party("leaf", LEAF, &same_name);
    CLEANUP(free_party) struct party own = make_party("own", LEAF, NULL);
    struct jwt_roots *roots = roots_of(&root), *own_roots = roots_of(&own);

    (void)state;
    assert_int_equal(judge(&leaf, NULL, roots), 0);
    assert_int_equal(judge(&root, NULL, roots), 0);
    assert_int_equal(judge(&leaf, &root, roots), 0);
    assert_int_equal(judge(&below, &middle, roots), 0);
    assert_int_equal(judge(&below, NULL, roots), JWT_CHAIN_INVALID);
    assert_int_equal(judge(&past, NULL, roots), JWT_CHAIN_INVALID);
    assert_int_equal(judge(&by_leaf, &leaf, roots), JWT_CHAIN_INVALID);
    assert_int_equal(judge(&by_same_name, NULL, roots), JWT_CHAIN_INVALID);
    assert_int_equal(judge(&by_same_name, &same_name, roots), JWT_CHAIN_INVALID);
    assert_int_equal(judge(&own, NULL, roots), JWT_CHAIN_INVALID);
    assert_int_equal(judge(&own, NULL, own_roots),
                     0); /* the usual example: one self-signed certificate */
    assert_int_equal(judge(&own, NULL, NULL), 0);
    jwt_roots_free(roots);
    jwt_roots_free(own_roots);
}

static void test_malformed_chains_are_refused(void **state)
{
    static const char *const texts[] = {
        "{\"x5c\":[]}",          "{\"x5c\":\"MIIB\"}",         "{\"x5c\":[5]}",
        "{\"x5c\":[\"\"]}",      "{\"x5c\":[\"MIIB\"]}",       "{\"x5c\":[\"MI-B\"]}",
        "{\"x5c\":[\"MIIBx\"]}", "{\"x5c\":{\"a\":\"MIIB\"}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(json_freep) struct json *document = NULL;
        struct jwt_key *key = NULL;

        assert_int_equal(strict_json_parse(texts[i], strlen(texts[i]), &document), 0);
        assert_case(texts[i],
                    jwt_chain_get_key(json_find(document, "x5c"), NULL, &key) == JWT_CHAIN_INVALID);
    }
}

static void test_keys_of_a_bundle(void **state)
{
    CLEANUP(free_party)
    struct party a = make_party("a", AUTHORITY, NULL),
                 b = make_party("b", LEAF, NULL);
    CLEANUP_FREE char *one = export(&a, GNUTLS_X509_FMT_PEM),
                      *two = export(&b, GNUTLS_X509_FMT_PEM), *both = NULL;
    CLEANUP(jwt_key_set_unrefp) struct jwt_key_set *set = NULL;
    struct error err = {0};

    (void)state;
    assert_true(asprintf(&both, "# the first\n%s# the second\n%s", one, two) > 0);
    assert_int_equal(jwt_key_set_new(&set), 0);
    assert_int_equal(jwt_key_set_add_certificates(set, "root.pem", both, strlen(both), &err), 0);
    assert_int_equal(jwt_key_set_count(set), 2);
    assert_int_equal(jwt_key_get_algorithms(jwt_key_set_get(set, 0)), JWT_BIT(JWT_ES256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_malformed_chains_are_refused),
        cmocka_unit_test(test_keys_of_a_bundle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
