#include <limits.h>
#include <stdio.h>

#include "tests/unit/registry-config/load.h"

#define TLS "tls: {certificate: /c.crt, key: /c.key}"

/* Settings below http:, in one line. */
static struct settings *load_http(const char *members)
{
    char text[1000];

    snprintf(text, sizeof(text), HEAD "http: {%s}\n", members);
    return load(text, NO_ENVIRONMENT);
}

static void the_default_address_is_loopback(void **state)
{
    static const struct {
        const char *members, *address;
        size_t warnings;
    } cases[] = {
        {"", "127.0.0.1:5000", 1},
        {"addr: ", "127.0.0.1:5000", 1},
        {"addr: ''", "127.0.0.1:5000", 1},
        {"addr: ':5000'", ":5000", 0},
        {"addr: ':80'", ":80", 0},
        {TLS, ":5000", 0},
        {"addr: '127.0.0.1:443', " TLS, "127.0.0.1:443", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(settings_freep) struct settings *settings = load_http(cases[i].members);

        assert_case(cases[i].members, strcmp(settings->http.address, cases[i].address) == 0);
        assert_case(cases[i].members, strcmp(settings->http.net, "tcp") == 0);
        assert_case(cases[i].members, settings->warning_count == cases[i].warnings);
    }
}

static void all_kinds_of_addresses_are_accepted(void **state)
{
    static const char *const addresses[] = {
        ":0",        "0.0.0.0:5000",        "localhost:5000", "[::]:5000",
        "[::1]:443", "[fe80::1%eth0]:5000", ":https",         "registry.example.com:65535",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        CLEANUP(settings_freep) struct settings *settings = NULL;
        char members[200];

        snprintf(members, sizeof(members), "addr: '%s'", addresses[i]);
        settings = load_http(members);
        assert_string_equal(settings->http.address, addresses[i]);
    }
}

static void a_unix_socket_is_a_path(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load_http("net: unix, addr: /run/registry.sock");

    (void)state;
    assert_string_equal(settings->http.net, "unix");
    assert_string_equal(settings->http.address, "/run/registry.sock");
}

static void hosts_and_prefixes_lose_their_last_slash(void **state)
{
    static const struct {
        const char *members, *host, *prefix;
    } cases[] = {
        {"", NULL, ""},
        {"host: https://example.com", "https://example.com", ""},
        {"host: https://example.com/", "https://example.com", ""},
        {"host: 'http://localhost:5000'", "http://localhost:5000", ""},
        {"host: 'HTTPS://[::1]:5000'", "HTTPS://[::1]:5000", ""},
        {"host: 'https://[::1]'", "https://[::1]", ""},
        {"host: https://example.com/registry/", "https://example.com/registry", ""},
        {"prefix: /", NULL, ""},
        {"prefix: /a/b/", NULL, "/a/b"},
        {"prefix: /a", NULL, "/a"},
        {"prefix: ''", NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(settings_freep) struct settings *settings = load_http(cases[i].members);

        if (cases[i].host)
            assert_string_equal(settings->http.host, cases[i].host);
        else
            assert_null(settings->http.host);
        assert_string_equal(settings->http.prefix, cases[i].prefix);
    }
}

static void the_other_settings_are_read(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load_http("secret: sEcReT, relativeurls: true, draintimeout: 1m, http2: {disabled: true}, "
                  "debug: {addr: 'localhost:5001', prometheus: {enabled: true, path: /m}}, "
                  "tls: {certificate: /c.crt, key: /c.key, minimumtls: tls1.3, clientcas: []}");

    (void)state;
    assert_holds(&settings->http.secret, "sEcReT");
    assert_true(settings->http.has_relative_urls);
    assert_int_equal(settings->http.drain_timeout_ms, 60000);
    assert_string_equal(settings->http.debug.address, "localhost:5001");
    assert_true(settings->http.debug.has_prometheus);
    assert_string_equal(settings->http.debug.prometheus_path, "/m");
    assert_string_equal(settings->http.tls.certificate, "/c.crt");
    assert_string_equal(settings->http.tls.key, "/c.key");
    assert_true(settings->http.tls.is_tls13_only);
    assert_int_equal(settings->warning_count, 0);
}

static void client_authorities_are_a_list_or_a_single_file(void **state)
{
    CLEANUP(settings_freep)
    struct settings *list = load_http("tls: {certificate: /c, key: /k, clientcas: [/a.crt, "
                                      "/b.crt], clientauth: verify-client-cert-if-given}");
    CLEANUP(settings_freep)
    struct settings *one = load_http("tls: {certificate: /c, key: /k, clientcas: /a.crt}");
    CLEANUP(settings_freep)
    struct settings *none = load_http(
        "tls: {certificate: /c, key: /k, clientcas: , clientauth: require-and-verify-client-cert}");
    CLEANUP(settings_freep)
    struct settings *variable =
        load(NULL, ENVIRONMENT("REGISTRY_HTTP_TLS_CERTIFICATE=/c", "REGISTRY_HTTP_TLS_KEY=/k",
                               "REGISTRY_HTTP_TLS_CLIENTCAS=[/a.crt, /b.crt]"));

    (void)state;
    assert_int_equal(list->http.tls.client_ca_count, 2);
    assert_string_equal(list->http.tls.client_cas[0], "/a.crt");
    assert_string_equal(list->http.tls.client_cas[1], "/b.crt");
    assert_true(list->http.tls.is_client_optional);
    assert_int_equal(one->http.tls.client_ca_count, 1);
    assert_string_equal(one->http.tls.client_cas[0], "/a.crt");
    assert_false(one->http.tls.is_client_optional);
    assert_int_equal(none->http.tls.client_ca_count, 0);
    assert_warns(none, "no client is asked for a certificate");
    assert_int_equal(variable->http.tls.client_ca_count, 2);
}

static void unset_settings_have_defaults(void **state)
{
    CLEANUP(settings_freep) struct settings *settings = load_http(TLS);

    (void)state;
    assert_int_equal(settings->http.secret.size, 0);
    assert_false(settings->http.has_relative_urls);
    assert_int_equal(settings->http.drain_timeout_ms, 0);
    assert_null(settings->http.debug.address);
    assert_false(settings->http.debug.has_prometheus);
    assert_string_equal(settings->http.debug.prometheus_path, "/metrics");
    assert_false(settings->http.tls.is_tls13_only);
}

static void a_drain_timeout_fits_an_int(void **state)
{
    CLEANUP(settings_freep) struct settings *settings = load_http("draintimeout: 100000h");

    (void)state;
    assert_int_equal(settings->http.drain_timeout_ms, INT_MAX);
}

static void headers_are_lists(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load_http("addr: ':1', headers: {X-A: [nosniff], X-B: [b, 'c d'], X-C: e, X-D: [], X-E: }");
    static const struct settings_pair wanted[] = {
        {"X-A", "nosniff"}, {"X-B", "b"}, {"X-B", "c d"}, {"X-C", "e"}};

    (void)state;
    assert_int_equal(settings->http.headers.count, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        assert_string_equal(settings->http.headers.items[i].name, wanted[i].name);
        assert_string_equal(settings->http.headers.items[i].value, wanted[i].value);
    }
}

static void old_versions_of_tls_are_not_used(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load_http("tls: {certificate: a, key: b, minimumtls: tls1.0, "
                                          "ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA]}");

    (void)state;
    assert_false(settings->http.tls.is_tls13_only);
    assert_int_equal(settings->warning_count, 2);
    assert_warns(settings, "c.yml:2: http.tls.minimumtls: tls1.2 is used");
    assert_warns(settings, "c.yml:2: http.tls.ciphersuites: ignored: ");
}

static const struct {
    const char *members, *says;
} refused[] = {
    {"addr: 5000", "c.yml:2: http.addr: \"5000\" is not an address such as"},
    {"addr: localhost", "c.yml:2: http.addr: \"localhost\" is not an address"},
    {"addr: '::1:5000'", "c.yml:2: http.addr: \"::1:5000\" is not an address"},
    {"addr: '[]:5000'", "c.yml:2: http.addr: "},
    {"addr: ':65536'", "c.yml:2: http.addr: "},
    {"addr: ':'", "c.yml:2: http.addr: "},
    {"addr: ':-1 '", "c.yml:2: http.addr: "},
    {"addr: 'http://localhost:5000'", "c.yml:2: http.addr: "},
    {"addr: 'a b:5000'", "c.yml:2: http.addr: "},
    {"addr: [':5000']", "c.yml:2: http.addr: must be a single value"},
    {"net: udp", "c.yml:2: http.net: \"udp\" is not one of tcp, unix"},
    {"net: unix", "c.yml:2: http.net: unix needs http.addr"},
    {"tls: {certificate: /c}", "c.yml:2: http.tls.certificate: needs http.tls.key, too"},
    {"tls: {key: /c}", "c.yml:2: http.tls.key: needs http.tls.certificate, too"},
    {"tls: {minimumtls: ssl3}",
     "c.yml:2: http.tls.minimumtls: \"ssl3\" is not one of tls1.2, tls1.3"},
    {"host: example.com", "c.yml:2: http.host: \"example.com\" is not a URL such as https://"},
    {"host: ftp://example.com", "c.yml:2: http.host: "},
    {"host: https://", "c.yml:2: http.host: "},
    {"host: 'https:///a'", "c.yml:2: http.host: "},
    {"host: 'https://a b'", "c.yml:2: http.host: "},
    {"host: 'https://u:p@a'", "c.yml:2: http.host: "},
    {"host: 'https://a:'", "c.yml:2: http.host: "},
    {"host: 'https://a:x'", "c.yml:2: http.host: "},
    {"host: 'https://a:123456'", "c.yml:2: http.host: "},
    {"host: 'https://a?b'", "c.yml:2: http.host: "},
    {"host: 'https://a/b?c'", "c.yml:2: http.host: "},
    {"host: 'https://a/\"'", "c.yml:2: http.host: "},
    {"host: \"https://a\\r\\nX: y\"", "c.yml:2: http.host: "},
    {"prefix: a/", "c.yml:2: http.prefix: \"a/\" is not a path such as /registry/"},
    {"prefix: '/a b'", "c.yml:2: http.prefix: "},
    {"prefix: '//'", "c.yml:2: http.prefix: "},
    {"relativeurls: maybe", "c.yml:2: http.relativeurls: \"maybe\" is not true or false"},
    {"draintimeout: 60", "c.yml:2: http.draintimeout: \"60\" is not a duration"},
    {"headers: [a]", "c.yml:2: http.headers: must be a mapping"},
    {"headers: {X-A: {b: c}}", "c.yml:2: http.headers.X-A: must be a list"},
    {"headers: {X-A: [[b]]}", "c.yml:2: http.headers.X-A: must be a list"},
    {"headers: {'X A': [b]}", "c.yml:2: http.headers.X A: invalid header name"},
    {"headers: {'': [b]}", "c.yml:2: http.headers.: invalid header name"},
    {"headers: {X-A: [\"b\\r\\nX: c\"]}", "c.yml:2: http.headers.X-A: must be a list of lines"},
    {"headers: {X-A: [\"b\\0c\"]}", "c.yml:2: http.headers.X-A: must be a list of lines"},
    {"headers: {content-length: ['5']}",
     "c.yml:2: http.headers.content-length: the server sets this header"},
    {"debug: {addr: 5001}", "c.yml:2: http.debug.addr: \"5001\" is not an address"},
    {"debug: {prometheus: {path: metrics}}",
     "c.yml:2: http.debug.prometheus.path: \"metrics\" is not a path"},
};

static void errors_name_file_line_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        char text[500];

        snprintf(text, sizeof(text), HEAD "http: {%s}\n", refused[i].members);
        check_refusal(text, NO_ENVIRONMENT, refused[i].says);
    }
}

static void limits_have_defaults_and_can_be_set(void **state)
{
    CLEANUP(settings_freep) struct settings *usual = load_http("addr: ':1'");
    CLEANUP(settings_freep)
    struct settings *set = load_http("limits: {connections: 7, peraddress: 0, minrate: 1}, "
                                     "timeouts: {head: 1m, idle: 1500ms, transfer: 99999h}");
    const struct settings_limits *limits = &usual->http.limits;

    (void)state;
    assert_int_equal(limits->connections, 20000);
    assert_int_equal(limits->per_address, 4000);
    assert_int_equal(limits->min_rate, 500);
    assert_int_equal(limits->head_ms, 30000);
    assert_int_equal(limits->idle_ms, 120000);
    assert_int_equal(limits->transfer_ms, 60000);
    limits = &set->http.limits;
    assert_int_equal(limits->connections, 7);
    assert_int_equal(limits->per_address, 0);
    assert_int_equal(limits->min_rate, 1);
    assert_int_equal(limits->head_ms, 60000);
    assert_int_equal(limits->idle_ms, 1500);
    assert_int_equal(limits->transfer_ms, (uint64_t)366 * 24 * 60 * 60 * 1000);
}

static void invalid_limits_are_refused(void **state)
{
    static const char *const wrong[] = {
        "limits: {connections: 0}",
        "limits: {connections: -1}",
        "limits: {connections: many}",
        "limits: {peraddress: 1.5}",
        "limits: 5",
        "timeouts: {head: 5}",
        "timeouts: {idle: -1s}",
        "timeouts: 1m",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char text[200];

        snprintf(text, sizeof(text), HEAD "http: {%s}\n", wrong[i]);
        check_refusal(text, NO_ENVIRONMENT, "c.yml:2: http.");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_default_address_is_loopback),
        scratch_test(all_kinds_of_addresses_are_accepted),
        scratch_test(a_unix_socket_is_a_path),
        scratch_test(hosts_and_prefixes_lose_their_last_slash),
        scratch_test(the_other_settings_are_read),
        scratch_test(client_authorities_are_a_list_or_a_single_file),
        scratch_test(unset_settings_have_defaults),
        scratch_test(a_drain_timeout_fits_an_int),
        scratch_test(headers_are_lists),
        scratch_test(limits_have_defaults_and_can_be_set),
        scratch_test(invalid_limits_are_refused),
        scratch_test(old_versions_of_tls_are_not_used),
        scratch_test(errors_name_file_line_and_key),
    };

    return cmocka_run_group_tests_name("settings-http", tests, NULL, NULL);
}
