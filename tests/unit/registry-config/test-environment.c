#include "registry/config/environment.h"

#include <stdio.h>

#include "registry/config/reader.h"
#include "tests/unit/registry-config/load.h"

#define ADDRESS "REGISTRY_HTTP_ADDR=:5000"

/* The variables of the article, unchanged. */
static void registry_2_s_usual_variables_are_accepted(void **state)
{
    CLEANUP(settings_freep) struct settings *settings = load(NULL, ENVIRONMENT(
        "PATH=/bin", "REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM=Registry Realm",
        "REGISTRY_AUTH_HTPASSWD_PATH=/auth/htpasswd", "REGISTRY_HTTP_HOST=https://example.com",
        "REGISTRY_HTTP_TLS_CERTIFICATE=/certs/cert.crt", "REGISTRY_HTTP_TLS_KEY=/certs/privkey.key",
        "REGISTRY_STORAGE_DELETE_ENABLED=true"));

    (void)state;
    assert_true(settings->auth.is_htpasswd);
    assert_string_equal(settings->auth.realm, "Registry Realm");
    assert_string_equal(settings->auth.path, "/auth/htpasswd");
    assert_string_equal(settings->http.host, "https://example.com");
    assert_string_equal(settings->http.tls.certificate, "/certs/cert.crt");
    assert_string_equal(settings->http.tls.key, "/certs/privkey.key");
    assert_true(settings->storage.is_delete_enabled);
    assert_string_equal(settings->http.address, ":5000");
    assert_int_equal(settings->warning_count, 0);
}

static void variables_take_precedence_over_the_file(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(
        HEAD
        "http: {addr: ':80', host: 'https://a.b'}\nlog: {level: debug, fields: {Service: x}}\n",
        ENVIRONMENT("REGISTRY_LOG_LEVEL=warn", ADDRESS, "REGISTRY_LOG_FIELDS_SERVICE=y",
                    "REGISTRY_LOG_FIELDS_NEW=z", "REGISTRY_HTTP_HOST="));

    (void)state;
    assert_string_equal(settings->http.address, ":5000");
    assert_null(settings->http.host);
    assert_int_equal(settings->log.level, LOG_LEVEL_WARN);
    assert_int_equal(settings->log.fields.count, 2);
    assert_string_equal(settings->log.fields.items[0].name, "Service");
    assert_string_equal(settings->log.fields.items[0].value, "y");
    assert_string_equal(settings->log.fields.items[1].name, "new");
    assert_string_equal(settings->log.fields.items[1].value, "z");
}

/* In registry:2 the second of these causes the panic of distribution#3765. */
static void maintenance_can_be_set_as_a_whole_and_in_part(void **state)
{
    static const char *const files[] = {
        NULL,
        HEAD,
        HEAD "storage: filesystem\n",
        HEAD "storage: {maintenance: }\n",
        HEAD "storage: {maintenance: {readonly: }}\n",
        HEAD "storage: {maintenance: {readonly: {enabled: false}}}\n",
    };
    static const char *const variables[] = {
        "REGISTRY_STORAGE_MAINTENANCE_READONLY={\"enabled\":true}",
        "REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED=true",
        "REGISTRY_STORAGE_MAINTENANCE={readonly: {enabled: yes}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(variables); k++) {
            CLEANUP(settings_freep)
            struct settings *settings = load(files[i], ENVIRONMENT(variables[k]));

            assert_case(variables[k], settings->storage.is_read_only);
        }
    }
}

/* In any order. */
static void deeper_names_change_what_shorter_ones_set(void **state)
{
    static char whole[] = "REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING={age: 1h, dryrun: true}";
    static char part[] = "REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE=2h";
    CLEANUP(settings_freep) struct settings *one = load(NULL, ENVIRONMENT(whole, part));
    CLEANUP(settings_freep) struct settings *other = load(NULL, ENVIRONMENT(part, whole));

    (void)state;
    assert_int_equal(one->storage.upload_purging.age_ms, 2 * 3600 * 1000);
    assert_true(one->storage.upload_purging.is_dry_run);
    assert_int_equal(other->storage.upload_purging.age_ms, 2 * 3600 * 1000);
    assert_true(other->storage.upload_purging.is_dry_run);
}

static void values_are_yaml(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(NULL,
             ENVIRONMENT("REGISTRY_HTTP_HEADERS={X-A: [b, c]}", "REGISTRY_HTTP_ADDR=\"[::1]:5000\"",
                         "REGISTRY_CATALOG_MAXENTRIES=0x10", "REGISTRY_HTTP_RELATIVEURLS=on",
                         "REGISTRY_HTTP_PREFIX=/a/  # comment", "REGISTRY_HTTP_HEADERS_X-D=[e]"));

    (void)state;
    assert_int_equal(settings->http.headers.count, 3);
    assert_string_equal(settings->http.headers.items[2].name, "x-d");
    assert_string_equal(settings->http.address, "[::1]:5000");
    assert_int_equal(settings->catalog_max, 16);
    assert_true(settings->http.has_relative_urls);
    assert_string_equal(settings->http.prefix, "/a");
}

/* Kubernetes sets the first of these for a service named registry. */
static void unknown_names_cause_warnings(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(NULL, ENVIRONMENT(ADDRESS, "REGISTRY_PORT=tcp://10.0.0.1:5000",
                               "REGISTRY_PORT_5000_TCP_ADDR=10.0.0.1", "REGISTRY_HTTP_ADDRESS=x",
                               "REGISTRY_HTTP_ADDR_X=y", "REGISTRY_=z", "REGISTRY__HTTP=a",
                               "REGISTRY_HTTP_=b", "REGISTRY_LOG_LEVEL_=c",
                               "REGISTRY_STORAGE_DELETE_ENABLE=true", "REGISTRY_HTTP.ADDR=:80"));

    (void)state;
    assert_int_equal(settings->warning_count, 10);
    assert_warns(
        settings,
        "Ignoring REGISTRY_PORT_5000_TCP_ADDR: it is one that Kubernetes sets for a service");
    assert_warns(settings, "Ignoring unrecognized environment variable REGISTRY_HTTP_ADDRESS");
    assert_warns(settings, "Ignoring unrecognized environment variable REGISTRY_HTTP_ADDR_X");
    assert_warns(settings, "Ignoring unrecognized environment variable REGISTRY__HTTP");
}

/* They look like settings of auth and storage, whose members have names that the user chooses. */
static void variables_of_other_programs_are_not_settings(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(NULL, ENVIRONMENT(ADDRESS, "REGISTRY_AUTH_FILE=/run/user/1000/containers/auth.json",
                               "REGISTRY_AUTH_PORT=tcp://10.0.0.1:80",
                               "REGISTRY_AUTH_SERVICE_HOST=10.0.0.1",
                               "REGISTRY_AUTH_SERVICE_PORT_HTTP=80",
                               "REGISTRY_STORAGE_PORT_80_UDP_PROTO=udp"));

    (void)state;
    assert_false(settings->auth.is_htpasswd);
    assert_int_equal(settings->warning_count, 5);
    assert_warns(settings,
                 "Ignoring REGISTRY_AUTH_FILE: it is podman's, the path of its file with logins");
    assert_warns(settings,
                 "Ignoring REGISTRY_AUTH_PORT: it is one that Kubernetes sets for a service");
}

static void other_variables_are_ignored(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(NULL, ENVIRONMENT(ADDRESS, "REGISTRY=a", "REGISTRYD_LOG_LEVEL=b",
                               "registry_log_level=c", "MY_REGISTRY_LOG_LEVEL=d",
                               "REGISTRY_CONFIGURATION_PATH=/e", "REGISTRY_LOG_LEVEL", ""));

    (void)state;
    assert_int_equal(settings->warning_count, 0);
    assert_int_equal(settings->log.level, LOG_LEVEL_INFO);
}

static void names_of_any_length_are_accepted(void **state)
{
    char variable[3000] = "REGISTRY_HTTP_HEADERS_";
    CLEANUP(settings_freep) struct settings *settings = NULL;

    (void)state;
    fill(variable + strlen(variable), 'X', 2000);
    memcpy(variable + strlen(variable), "=[a]", sizeof("=[a]"));
    settings = load(NULL, ENVIRONMENT(ADDRESS, variable));
    assert_int_equal(settings->warning_count, 1);
    assert_int_equal(settings->http.headers.count, 0);
}

static const struct { const char *variable, *says;
} refused[] = {
    {"REGISTRY_STORAGE_DELETE_ENABLED=1",
     "REGISTRY_STORAGE_DELETE_ENABLED: \"1\" is not true or false"},
    {"REGISTRY_HTTP_ADDR=5000", "REGISTRY_HTTP_ADDR: \"5000\" is not an address such as"},
    {"REGISTRY_HTTP_ADDR=[::1]:5000", "REGISTRY_HTTP_ADDR: invalid YAML"},
    {"REGISTRY_HTTP={addr: 5000}", "REGISTRY_HTTP: http.addr: \"5000\" is not an address"},
    {"REGISTRY_HTTP=:5000", "REGISTRY_HTTP: must be a mapping of settings"},
    {"REGISTRY_STORAGE=inmemory",
     "REGISTRY_STORAGE: storage.inmemory: refused: only the storage drivers"},
    {"REGISTRY_STORAGE_S3_REGION=us-east-1",
     "REGISTRY_STORAGE_S3_REGION: storage.s3: bucket is missing"},
    {"REGISTRY_AUTH=token", "REGISTRY_AUTH: auth.token: realm is missing"},
    {"REGISTRY_AUTH_TOKEN_REALM=https://a/b",
     "REGISTRY_AUTH_TOKEN_REALM: auth.token: service is missing"},
    {"REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH: auth.htpasswd: realm is missing"},
    {"REGISTRY_AUTH_HTPASSWD_PATH=/x",
     "REGISTRY_AUTH_HTPASSWD_PATH: auth.htpasswd: realm is missing"},
    {"REGISTRY_PROXY_REMOTEURL=https://registry-1.docker.io",
     "REGISTRY_PROXY_REMOTEURL: refused: "},
    {"REGISTRY_NOTIFICATIONS_ENDPOINTS=[{name: a, url: b}]",
     "REGISTRY_NOTIFICATIONS_ENDPOINTS: refused: "},
    {"REGISTRY_HTTP_TLS_KEY=/k", "REGISTRY_HTTP_TLS_KEY: needs http.tls.certificate, too"},
    {"REGISTRY_HTTP_HEADERS_X_Y=z", "REGISTRY_HTTP_HEADERS_X_Y: http.headers.x: must be a list"},
};

static void errors_name_the_variable(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        check_refusal(NULL, ENVIRONMENT(refused[i].variable), refused[i].says);
}

static void a_member_of_a_scalar_cannot_be_set(void **state)
{
    (void)state;
    check_refusal(
        HEAD "log:\n  fields: [a]\n", ENVIRONMENT("REGISTRY_LOG_FIELDS_B=c"),
        "REGISTRY_LOG_FIELDS_B: cannot be applied, because c.yml:3: log.fields is not a mapping");
    check_refusal(NULL, ENVIRONMENT("REGISTRY_HTTP=5000", ADDRESS),
                  "REGISTRY_HTTP_ADDR: cannot be applied, because REGISTRY_HTTP is not a mapping");
}

static void a_second_driver_from_a_variable_is_refused(void **state)
{
    (void)state;
    check_refusal(HEAD "storage: {filesystem: {rootdirectory: /a}}\n",
                  ENVIRONMENT("REGISTRY_STORAGE_S3_BUCKET=b"),
                  "REGISTRY_STORAGE_S3_BUCKET: storage.s3: there is storage.filesystem, too");
    check_refusal(HEAD "storage: {s3: {region: eu-1, bucket: b}}\n",
                  ENVIRONMENT("REGISTRY_STORAGE_S3AWS_BUCKET=b"),
                  "REGISTRY_STORAGE_S3AWS_BUCKET: storage.s3aws: there is storage.s3, too");
}

static void secrets_are_not_shown(void **state)
{
    static const char *const variables[] = {
        "REGISTRY_HTTP_SECRET=[sEcReT]",
        "REGISTRY_HTTP_SECRET={sEcReT: 1}",
        "REGISTRY_HTTP_SECRET=\"sEcReT",
        "REGISTRY_STORAGE_S3_SECRETKEY=sEcReT",
        "REGISTRY_PROXY={remoteurl: a, password: sEcReT}",
        "REGISTRY_HTTP_HEADERS={A: [\"sEcReT\\n\"]}",
        "REGISTRY_STORAGE_S3={secretkey: sEcReT, accesskey: sEcReT}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
        struct settings *settings = NULL;
        struct error err = {0};

        assert_case(variables[i],
                    settings_load(NULL, ENVIRONMENT(variables[i]), &settings, &err) < 0);
        assert_case(variables[i], !strstr(err.text, "sEcReT") && *err.text);
    }
}

static void values_of_secret_keys_are_never_shown(void **state)
{
    static const struct { const char *path; bool is_secret;
    } keys[] = {
        {"http.secret", true},          {"storage.s3.secretkey", true},
        {"storage.s3.accesskey", true}, {"redis.password", true},
        {"http.addr", false},           {"http.tls.key", false},
        {"auth.htpasswd.path", false},
    };
    struct yaml_tree node = {.kind = YAML_SCALAR, .text = (char[]){"sEcReT"}, .size = 6};
    char shown[READER_SHOWN_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        reader_show(keys[i].path, &node, shown);
        assert_case(keys[i].path, keys[i].is_secret == !strstr(shown, "sEcReT"));
    }
}

static void a_secret_is_only_in_secure_memory(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(NULL, ENVIRONMENT(ADDRESS, "REGISTRY_HTTP_SECRET=sEcReT"));
    const struct yaml_tree *http = yaml_tree_find(settings->tree, "http");

    (void)state;
    assert_holds(&settings->http.secret, "sEcReT");
    assert_true(yaml_tree_is_null(yaml_tree_find(http, "secret")));
}

static void variables_of_kubernetes_are_not_settings(void **state)
{
    (void)state;
    assert_false(environment_has_settings(NO_ENVIRONMENT));
    assert_false(environment_has_settings(ENVIRONMENT(
        "PATH=/bin", "REGISTRY_CONFIGURATION_PATH=c.yml", "REGISTRY_PORT=tcp://10.0.0.1:5000",
        "REGISTRY_SERVICE_HOST=10.0.0.1", "REGISTRY_PORT_5000_TCP_ADDR=10.0.0.1",
        "REGISTRY_HTTP_PORT=tcp://10.0.0.1:80", "REGISTRY_AUTH_FILE=/auth.json")));
    assert_true(environment_has_settings(
        ENVIRONMENT("REGISTRY_PORT=tcp://10.0.0.1:5000", "REGISTRY_LOG_LEVEL=info")));
}

static void refused_values_are_quoted_completely(void **state)
{
    static const struct { const char *value, *says; } cases[] = {
        {"\"':5000'\"", "\"':5000'\" is"},
        {"'\":5000\"'", "\"\\\":5000\\\"\" is"},
        {"\" :5000 \"", "\" :5000 \" is"},
        {"\"a\\tb\\r\"", "\"a\\tb\\r\" is"},
        {"\"a\\x7f\"", "\"a\\x7f\" is"},
        {"'a\\b'", "\"a\\\\b\" is"},
        {"a\xC2\xA0" "b", "\"a\\u{a0}b\" is"},
        {"a\xE2\x80\x8B" "b", "\"a\\u{200b}b\" is"},
        {"\"\xEF\xBB\xBF:5000\"", "\"\\u{feff}:5000\" is"},
        {"\xC3\xA9t\xC3\xA9", "\"\xC3\xA9t\xC3\xA9\" is"},
        {"\"\"", NULL},
    };

    (void)state;
    for (size_t i = 0; cases[i].says; i++) {
        char variable[200], says[200];

        snprintf(variable, sizeof(variable), "REGISTRY_HTTP_ADDR=%s", cases[i].value);
        snprintf(says, sizeof(says), "REGISTRY_HTTP_ADDR: %s", cases[i].says);
        check_refusal(NULL, ENVIRONMENT(variable), says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(registry_2_s_usual_variables_are_accepted),
        scratch_test(variables_take_precedence_over_the_file),
        scratch_test(maintenance_can_be_set_as_a_whole_and_in_part),
        scratch_test(deeper_names_change_what_shorter_ones_set),
        scratch_test(values_are_yaml),
        scratch_test(unknown_names_cause_warnings),
        scratch_test(variables_of_other_programs_are_not_settings),
        scratch_test(other_variables_are_ignored),
        scratch_test(names_of_any_length_are_accepted),
        scratch_test(errors_name_the_variable),
        scratch_test(a_member_of_a_scalar_cannot_be_set),
        scratch_test(a_second_driver_from_a_variable_is_refused),
        scratch_test(secrets_are_not_shown),
        scratch_test(values_of_secret_keys_are_never_shown),
        scratch_test(a_secret_is_only_in_secure_memory),
        scratch_test(variables_of_kubernetes_are_not_settings),
        scratch_test(refused_values_are_quoted_completely),
    };

    return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
