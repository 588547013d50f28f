#include "registry/cli/init/certificate.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/check.h"

static const char *const hosts[] = {"registry.example.com", "*.example.org", "192.0.2.7", "2001:db8::7"};
static const struct certificate_names names = {.items = hosts, .count = ARRAY_SIZE(hosts)};

static gnutls_x509_crt_t import(const char *text)
{
    const gnutls_datum_t datum = {.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
    gnutls_x509_crt_t crt;

    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM), 0);
    return crt;
}

static struct certificate make_authority(void)
{
    struct certificate authority;
    struct error err = {0};

    if (certificate_make_authority(&names, &authority, &err) < 0)
        fail_msg("%s", err.text);
    return authority;
}

static struct certificate make_server(const struct certificate *authority, const struct secbuf *key)
{
    struct certificate server;
    struct error err = {0};

    if (certificate_make_server(authority, &names, key, &server, &err) < 0)
        fail_msg("%s", err.text);
    return server;
}

static long days_of(gnutls_x509_crt_t crt)
{
    return (gnutls_x509_crt_get_expiration_time(crt) - gnutls_x509_crt_get_activation_time(crt)) / (24 * 60 * 60);
}

static void an_authority_can_sign_servers_but_no_other_authorities(void **state)
{
    CLEANUP(certificate_done) struct certificate authority = make_authority();
    gnutls_x509_crt_t crt = import(authority.text);
    unsigned usage, is_critical, is_authority;
    int path_length;

    (void)state;
    assert_int_equal(gnutls_x509_crt_get_basic_constraints(crt, &is_critical, &is_authority, &path_length), 1);
    assert_true(is_critical && is_authority && path_length == 0);
    assert_true(gnutls_x509_crt_get_key_usage(crt, &usage, &is_critical) >= 0);
    assert_int_equal(usage, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    assert_int_equal(days_of(crt), 3650);
    assert_true(gnutls_x509_crt_get_activation_time(crt) < time(NULL));
    gnutls_x509_crt_deinit(crt);
}

static void a_server_certificate_is_valid_for_its_names_only(void **state)
{
    CLEANUP(certificate_done) struct certificate authority = make_authority(), server = make_server(&authority, NULL);
    gnutls_x509_crt_t crt = import(server.text), issuer = import(authority.text);
    char purpose[64];
    size_t size = sizeof(purpose);
    unsigned verdict = 1, is_critical, bits;

    (void)state;
    assert_int_equal(gnutls_x509_crt_verify(crt, &issuer, 1, 0, &verdict), 0);
    assert_int_equal(verdict, 0);
    assert_true(gnutls_x509_crt_check_hostname(crt, "registry.example.com"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "x.example.org"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "192.0.2.7"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "2001:db8::7"));
    assert_false(gnutls_x509_crt_check_hostname(crt, "example.com"));
    assert_false(gnutls_x509_crt_check_hostname(crt, "192.0.2.8"));
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(crt, 0, purpose, &size, &is_critical), 0);
    assert_string_equal(purpose, GNUTLS_KP_TLS_WWW_SERVER);
    assert_int_equal(gnutls_x509_crt_get_pk_algorithm(crt, &bits), GNUTLS_PK_ECDSA);
    assert_int_equal(bits, 256);
    assert_int_equal(days_of(crt), 825);
    gnutls_x509_crt_deinit(issuer);
    gnutls_x509_crt_deinit(crt);
}

static void a_renewed_certificate_has_the_same_key(void **state)
{
    CLEANUP(certificate_done) struct certificate authority = make_authority(), first = make_server(&authority, NULL);
    CLEANUP(certificate_done) struct certificate second = make_server(&authority, &first.key);
    gnutls_x509_crt_t before = import(first.text), after = import(second.text);
    unsigned char a[64], b[64];
    size_t a_size = sizeof(a), b_size = sizeof(b);

    (void)state;
    assert_int_equal(second.key.size, 0);
    assert_string_not_equal(first.text, second.text);
    assert_int_equal(gnutls_x509_crt_get_key_id(before, 0, a, &a_size), 0);
    assert_int_equal(gnutls_x509_crt_get_key_id(after, 0, b, &b_size), 0);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    gnutls_x509_crt_deinit(before);
    gnutls_x509_crt_deinit(after);
}

/* The authority's certificate without constraints: same name and key. */
static char *without_constraints(const char *text, const struct secbuf *key_text)
{
    const gnutls_datum_t key_datum = {.data = key_text->data, .size = (unsigned)key_text->size};
    gnutls_x509_crt_t from = import(text), crt;
    gnutls_x509_privkey_t key;
    gnutls_datum_t datum;
    char name[128], *result;
    size_t size = sizeof(name);

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_import2(key, &key_datum, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_get_dn_by_oid(from, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size), 0);
    assert_int_equal(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)size), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(crt, "1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 1), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600), 0);
    assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &datum), 0);
    result = strndup((char *)datum.data, datum.size);
    gnutls_free(datum.data);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_crt_deinit(from);
    return result;
}

/* GnuTLS's verdict on a certificate for that name, signed by an authority for those names. */
static unsigned judge(const struct certificate_names *permitted, const char *name)
{
    const struct certificate_names wanted = {.items = &name, .count = 1};
    CLEANUP(certificate_done) struct certificate limited = {0}, unlimited = {0}, server = {0};
    struct error err = {0};
    gnutls_x509_crt_t crt, issuer;
    unsigned verdict = 0;

    assert_int_equal(certificate_make_authority(permitted, &limited, &err), 0);
    /* An attacker with the key can sign any certificate. */
    assert_int_equal(secbuf_append(&unlimited.key, limited.key.data, limited.key.size), 0);
    unlimited.text = without_constraints(limited.text, &limited.key);
    assert_int_equal(certificate_make_server(&unlimited, &wanted, NULL, &server, &err), 0);
    crt = import(server.text);
    issuer = import(limited.text);
    assert_int_equal(gnutls_x509_crt_verify(crt, &issuer, 1, 0, &verdict), 0);
    gnutls_x509_crt_deinit(issuer);
    gnutls_x509_crt_deinit(crt);
    return verdict;
}

static void an_authority_signs_for_its_own_names_only(void **state)
{
    static const char *const permitted[] = {"registry.example.com", "x.registry.example.com", "x.example.org", "192.0.2.7",
                                            "2001:db8::7"};
    static const char *const forbidden[] = {"example.com", "www.example.com", "example.net", "192.0.2.8", "2001:db8::8"};
    static const char *const domain[] = {"localhost"}, *const address[] = {"192.0.2.7"}, *const long_address[] = {"::1"};
    const struct certificate_names only_domain = {domain, 1}, only_address = {address, 1}, only_long = {long_address, 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(permitted); i++)
        assert_int_equal(judge(&names, permitted[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
        assert_true(judge(&names, forbidden[i]) & GNUTLS_CERT_INVALID);
    assert_int_equal(judge(&only_domain, "localhost"), 0);
    assert_true(judge(&only_domain, "127.0.0.1") & GNUTLS_CERT_INVALID);
    assert_true(judge(&only_domain, "::1") & GNUTLS_CERT_INVALID);
    assert_int_equal(judge(&only_address, "192.0.2.7"), 0);
    assert_true(judge(&only_address, "localhost") & GNUTLS_CERT_INVALID);
    assert_true(judge(&only_address, "::1") & GNUTLS_CERT_INVALID);
    assert_int_equal(judge(&only_long, "::1"), 0);
    assert_true(judge(&only_long, "127.0.0.1") & GNUTLS_CERT_INVALID);
}

static void a_name_outside_the_authority_s_constraints_is_refused(void **state)
{
    static const char *const other[] = {"registry.example.com", "other.example.net"};
    const struct certificate_names wanted = {.items = other, .count = 2};
    CLEANUP(certificate_done) struct certificate authority = make_authority(), server = {0};
    struct error err = {0};

    (void)state;
    assert_true(certificate_make_server(&authority, &wanted, NULL, &server, &err) < 0);
    assert_says(&err, "other.example.net");
}

static void names_are_read_again(void **state)
{
    CLEANUP(certificate_done) struct certificate authority = make_authority(), server = make_server(&authority, NULL);
    struct error err = {0};
    char **found;
    size_t count;

    (void)state;
    assert_int_equal(certificate_get_names(server.text, &found, &count, &err), 0);
    assert_int_equal(count, ARRAY_SIZE(hosts));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(found[i], hosts[i]);
    certificate_free_names(found, count);
    assert_int_equal(certificate_get_names(authority.text, &found, &count, &err), 0);
    assert_int_equal(count, 0);
    certificate_free_names(found, count);
    assert_true(certificate_get_names("no certificate", &found, &count, &err) < 0);
    assert_says(&err, "certificate");
}

static void a_request_names_the_same(void **state)
{
    CLEANUP(certificate_done) struct certificate request = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(certificate_make_request(&names, &request, &err), 0);
    assert_non_null(strstr(request.text, "BEGIN NEW CERTIFICATE REQUEST"));
    assert_true(request.key.size > 0);
}

static void invalid_keys_are_refused(void **state)
{
    CLEANUP(certificate_done) struct certificate authority = make_authority(), server = {0};
    CLEANUP(secbuf_done) struct secbuf key = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(secbuf_append(&key, "no key", 6), 0);
    assert_true(certificate_make_server(&authority, &names, &key, &server, &err) < 0);
    assert_says(&err, "cannot make the server's certificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority_can_sign_servers_but_no_other_authorities),
        cmocka_unit_test(a_server_certificate_is_valid_for_its_names_only),
        cmocka_unit_test(a_renewed_certificate_has_the_same_key),
        cmocka_unit_test(an_authority_signs_for_its_own_names_only),
        cmocka_unit_test(a_name_outside_the_authority_s_constraints_is_refused),
        cmocka_unit_test(names_are_read_again),
        cmocka_unit_test(a_request_names_the_same),
        cmocka_unit_test(invalid_keys_are_refused),
    };

    return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
