#include "registry/config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/registry-config/load.h"

/* Prevents the warning about a missing address. */
#define ADDRESS "http: {addr: ':5000'}\n"

static void unset_settings_have_registry_2_s_defaults(void **state)
{
    CLEANUP(settings_freep) struct settings *settings = load(NULL, NO_ENVIRONMENT);

    (void)state;
    assert_int_equal(settings->log.level, LOG_LEVEL_INFO);
    assert_int_equal(settings->log.formatter, LOG_FORMATTER_TEXT);
    assert_int_equal(settings->log.fields.count, 0);
    assert_false(settings->log.is_access_disabled);
    assert_string_equal(settings->storage.root_directory, "/var/lib/registry");
    assert_int_equal(settings->storage.max_threads, 100);
    assert_false(settings->storage.is_delete_enabled);
    assert_false(settings->storage.is_read_only);
    assert_true(settings->storage.upload_purging.is_enabled);
    assert_false(settings->storage.upload_purging.is_dry_run);
    assert_int_equal(settings->storage.upload_purging.age_ms, 168ull * 3600 * 1000);
    assert_int_equal(settings->storage.upload_purging.interval_ms, 24 * 3600 * 1000);
    assert_false(settings->auth.is_htpasswd);
    assert_null(settings->auth.realm);
    assert_null(settings->auth.path);
    assert_int_equal(settings->catalog_max, 1000);
    assert_int_equal(settings->tags_max, 0);
}

#define S3 HEAD "storage:\n  s3: {region: eu-1, bucket: b, "

static void a_bucket_has_registry_2_s_defaults(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(S3 "forcepathstyle: }\n" ADDRESS, NO_ENVIRONMENT);
    const struct settings_s3 *s3 = &settings->storage.s3;

    (void)state;
    assert_true(s3->is_enabled);
    assert_null(s3->access_key);
    assert_string_equal(s3->endpoint, "https://s3.eu-1.amazonaws.com");
    assert_true(s3->has_bucket_in_host);
    assert_string_equal(s3->root_directory, "");
    assert_int_equal(s3->part_size, 10 << 20);
    assert_false(s3->skips_verify);
    assert_false(s3->is_encrypted);
    assert_null(s3->key_id);
    assert_null(s3->storage_class);
    assert_null(s3->acl);
    assert_int_equal(settings->warning_count, 0);
}

static void s3aws_is_another_name_of_s3(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(HEAD "storage:\n  s3aws: {region: eu-1, bucket: b}\n" ADDRESS, NO_ENVIRONMENT);
    CLEANUP(settings_freep)
    struct settings *other =
        load(NULL, ENVIRONMENT("REGISTRY_STORAGE=s3aws", "REGISTRY_STORAGE_S3AWS_BUCKET=b",
                               "REGISTRY_STORAGE_S3AWS_REGION=eu-1", "REGISTRY_HTTP_ADDR=:5000"));

    (void)state;
    assert_true(settings->storage.s3.is_enabled);
    assert_string_equal(settings->storage.s3.bucket, "b");
    assert_int_equal(settings->warning_count, 0);
    assert_true(other->storage.s3.is_enabled);
    assert_string_equal(other->storage.s3.bucket, "b");
    assert_int_equal(other->warning_count, 0);
}

/* Only if it is asked for: clients often cannot reach the store. A directory has no addresses. */
static void redirects_are_off_by_default(void **state)
{
    static const struct {
        const char *text;
        bool redirects;
    } cases[] = {
        {S3 "forcepathstyle: }\n" ADDRESS, false},
        {S3 "forcepathstyle: }\n  redirect: {disable: true}\n" ADDRESS, false},
        {S3 "forcepathstyle: }\n  redirect: {disable: false}\n" ADDRESS, true},
        {HEAD "storage: {redirect: {disable: false}}\n" ADDRESS, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(settings_freep) struct settings *settings = load(cases[i].text, NO_ENVIRONMENT);

        assert_int_equal(settings->storage.redirects, cases[i].redirects);
        assert_int_equal(settings->warning_count, 0);
    }
}

static void the_blobs_of_a_bucket_can_be_cached(void **state)
{
    CLEANUP(settings_freep)
    struct settings *none = load(S3 "}\n" ADDRESS, NO_ENVIRONMENT);
    CLEANUP(settings_freep)
    struct settings *settings =
        load(S3 "}\n  cache: {directory: /c, maxsize: 20GB}\n" ADDRESS,
             ENVIRONMENT("REGISTRY_STORAGE_CACHE_MAXSIZE=500MiB"));

    (void)state;
    assert_null(none->storage.cache.directory);
    assert_string_equal(settings->storage.cache.directory, "/c");
    assert_int_equal(settings->storage.cache.max, UINT64_C(500) << 20);
    assert_int_equal(settings->warning_count, 0);
}

static void a_cache_that_cannot_be_used_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {S3 "}\n  cache: {directory: /c}\n" ADDRESS, "c.yml:4: storage.cache.directory: needs maxsize"},
        {S3 "}\n  cache: {directory: c, maxsize: 1GB}\n" ADDRESS, "c.yml:4: storage.cache.directory: must be an absolute path"},
        {S3 "}\n  cache: {directory: /c, maxsize: 20}\n" ADDRESS, "c.yml:4: storage.cache.maxsize: must be a size of at least 1MiB"},
        {S3 "}\n  cache: {directory: /c, maxsize: 1000kB}\n" ADDRESS, "c.yml:4: storage.cache.maxsize: must be a size of at least 1MiB"},
        {HEAD "storage: {cache: {directory: /c, maxsize: 1GB}}\n" ADDRESS, "c.yml:2: storage.cache.directory: needs storage.s3"},
    };
    CLEANUP(settings_freep)
    struct settings *redirecting = load(S3 "}\n  redirect: {disable: false}\n"
                                           "  cache: {directory: /c, maxsize: 1GB}\n" ADDRESS,
                                        NO_ENVIRONMENT);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_refusal(cases[i][0], NO_ENVIRONMENT, cases[i][1]);
    assert_warns(redirecting, "storage.cache.directory: not used");
}

static void all_settings_of_a_bucket_are_read(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(
        S3 "accesskey: AK, secretkey: sEcReT, sessiontoken: tOkEn, regionendpoint: 'host:9000', "
           "secure: false, skipverify: true, rootdirectory: /a, chunksize: 5242880, encrypt: true, "
           "keyid: k, storageclass: GLACIER_IR, objectacl: public-read, loglevel: debug, "
           "multipartcopychunksize: 6000000, multipartcopythresholdsize: 7000000, v4auth: true, "
           "multipartcopymaxconcurrency: 5}\n" ADDRESS,
        NO_ENVIRONMENT);
    const struct settings_s3 *s3 = &settings->storage.s3;

    (void)state;
    assert_string_equal(s3->access_key, "AK");
    assert_memory_equal(s3->secret_key.data, "sEcReT", s3->secret_key.size);
    assert_memory_equal(s3->session_token.data, "tOkEn", s3->session_token.size);
    assert_string_equal(s3->endpoint, "http://host:9000");
    assert_false(s3->has_bucket_in_host);
    assert_true(s3->skips_verify);
    assert_string_equal(s3->root_directory, "/a");
    assert_int_equal(s3->part_size, 5242880);
    assert_int_equal(s3->copy_part_size, 6000000);
    assert_int_equal(s3->copy_threshold, 7000000);
    assert_true(s3->is_encrypted);
    assert_string_equal(s3->key_id, "k");
    assert_string_equal(s3->storage_class, "GLACIER_IR");
    assert_string_equal(s3->acl, "public-read");
    assert_warns(settings, "storage.s3.skipverify");
    assert_warns(settings, "is not encrypted");
    assert_warns(settings, "storage.s3.loglevel");
    assert_int_equal(settings->warning_count, 3);
    assert_int_equal(count_warnings(settings, "sEcReT"), 0);
}

/* The file of the registry:2 image, and the warnings about it. */
static void the_image_s_own_file_loads(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(HEAD "log:\n"
                                          "  fields:\n"
                                          "    service: registry\n"
                                          "storage:\n"
                                          "  cache:\n"
                                          "    blobdescriptor: inmemory\n"
                                          "  filesystem:\n"
                                          "    rootdirectory: /var/lib/registry\n"
                                          "http:\n"
                                          "  addr: :5000\n"
                                          "  headers:\n"
                                          "    X-Content-Type-Options: [nosniff]\n"
                                          "health:\n"
                                          "  storagedriver:\n"
                                          "    enabled: true\n"
                                          "    interval: 20s\n"
                                          "    threshold: 4\n",
                                     NO_ENVIRONMENT);

    (void)state;
    assert_int_equal(settings->log.fields.count, 1);
    assert_string_equal(settings->log.fields.items[0].name, "service");
    assert_string_equal(settings->log.fields.items[0].value, "registry");
    assert_string_equal(settings->http.address, ":5000");
    assert_int_equal(settings->http.headers.count, 1);
    assert_true(settings->health.is_enabled);
    assert_int_equal(settings->health.interval_ms, 20000);
    assert_int_equal(settings->health.threshold, 4);
    assert_int_equal(settings->warning_count, 0);
}

static void every_setting_of_log_storage_and_auth_is_read(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(
        HEAD ADDRESS "log: {level: debug, formatter: json, fields: {a: b, number: 5}, accesslog: "
                     "{disabled: true}}\n"
                     "storage:\n"
                     "  filesystem: {rootdirectory: /srv/data, maxthreads: 200}\n"
                     "  delete: {enabled: yes}\n"
                     "  redirect: {disable: true}\n"
                     "  maintenance:\n"
                     "    readonly: {enabled: on}\n"
                     "    uploadpurging: {enabled: false, age: 2h, interval: 1m30s, dryrun: true}\n"
                     "auth: {htpasswd: {realm: Registry Realm, path: /auth/htpasswd}}\n"
                     "catalog: {maxentries: 50}\n"
                     "tags: {maxtags: 7}\n",
        NO_ENVIRONMENT);

    (void)state;
    assert_int_equal(settings->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(settings->log.formatter, LOG_FORMATTER_JSON);
    assert_int_equal(settings->log.fields.count, 2);
    assert_string_equal(settings->log.fields.items[1].value, "5");
    assert_true(settings->log.is_access_disabled);
    assert_string_equal(settings->storage.root_directory, "/srv/data");
    assert_int_equal(settings->storage.max_threads, 200);
    assert_true(settings->storage.is_delete_enabled);
    assert_true(settings->storage.is_read_only);
    assert_false(settings->storage.upload_purging.is_enabled);
    assert_true(settings->storage.upload_purging.is_dry_run);
    assert_int_equal(settings->storage.upload_purging.age_ms, 2 * 3600 * 1000);
    assert_int_equal(settings->storage.upload_purging.interval_ms, 90000);
    assert_true(settings->auth.is_htpasswd);
    assert_string_equal(settings->auth.realm, "Registry Realm");
    assert_string_equal(settings->auth.path, "/auth/htpasswd");
    assert_int_equal(settings->catalog_max, 50);
    assert_int_equal(settings->tags_max, 7);
}

static void levels_have_aliases_and_an_old_place(void **state)
{
    static const struct {
        const char *text;
        enum log_level level;
    } levels[] = {
        {"log: {level: error}", LOG_LEVEL_ERROR},
        {"log: {level: warn}", LOG_LEVEL_WARN},
        {"log: {level: WARNING}", LOG_LEVEL_WARN},
        {"log: {level: Info}", LOG_LEVEL_INFO},
        {"log: {level: trace}", LOG_LEVEL_DEBUG},
        {"log: {level: fatal}", LOG_LEVEL_ERROR},
        {"loglevel: debug", LOG_LEVEL_DEBUG},
        {"{loglevel: debug, log: {level: error}}", LOG_LEVEL_ERROR},
        {"{loglevel: debug, log: {formatter: text}}", LOG_LEVEL_DEBUG},
        {"log: {level: ''}", LOG_LEVEL_INFO},
        {"log:", LOG_LEVEL_INFO},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        CLEANUP(settings_freep) struct settings *settings = NULL;
        char text[200];

        if (levels[i].text[0] == '{')
            snprintf(text, sizeof(text), "{version: 0.1, %s", levels[i].text + 1);
        else
            snprintf(text, sizeof(text), HEAD "%s\n", levels[i].text);
        settings = load(text, NO_ENVIRONMENT);
        assert_case(levels[i].text, settings->log.level == levels[i].level);
    }
}

static void lone_words_choose_a_driver_and_a_provider(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(HEAD ADDRESS "storage: filesystem\nauth: none\n", NO_ENVIRONMENT);

    (void)state;
    assert_string_equal(settings->storage.root_directory, "/var/lib/registry");
    assert_false(settings->auth.is_htpasswd);
    assert_int_equal(settings->warning_count, 0);
}

static void registry_2_s_least_number_of_threads_is_ours(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(HEAD "storage: {filesystem: {maxthreads: 3}}\n", NO_ENVIRONMENT);

    (void)state;
    assert_int_equal(settings->storage.max_threads, 25);
}

/* Each error starts with file, line and key. */
static const struct {
    const char *text, *says;
} refused[] = {
    {"", "c.yml: the line \"version: 0.1\" is missing"},
    {"[]", "c.yml: the line \"version: 0.1\" is missing"},
    {"log: {level: info}\n", "c.yml: the line \"version: 0.1\" is missing"},
    {"version: 0.2\n", "c.yml:1: version: must be 0.1"},
    {"version: [0.1]\n", "c.yml:1: version: must be 0.1"},
    {HEAD "a: b: c\n", "c.yml:2: invalid YAML"},
    {HEAD "http: {}\nhttp: {}\n", "c.yml:3: the key \"http\" exists twice"},
    {HEAD "log: info\n", "c.yml:2: log: must be a mapping of settings"},
    {HEAD "log: {level: [info]}\n", "c.yml:2: log.level: must be a single value"},
    {HEAD "log:\n  level: loud\n",
     "c.yml:3: log.level: \"loud\" is not one of error, warn, info, debug"},
    {HEAD "loglevel: 5\n", "c.yml:2: loglevel: \"5\" is not one of error"},
    {HEAD "log: {formatter: xml}\n",
     "c.yml:2: log.formatter: \"xml\" is not one of text, json, logstash"},
    {HEAD "log: {fields: [a]}\n", "c.yml:2: log.fields: must be a mapping"},
    {HEAD "log: {fields: {a: [b]}}\n", "c.yml:2: log.fields.a: must be a single value"},
    {HEAD "log: {fields: {\"a\\\"b\": c}}\n",
     "c.yml:2: log.fields.a\"b: invalid name: only letters"},
    {HEAD "log: {accesslog: {disabled: 1}}\n",
     "c.yml:2: log.accesslog.disabled: \"1\" is not true or false"},
    {HEAD "storage: {delete: {enabled: 1}}\n",
     "c.yml:2: storage.delete.enabled: \"1\" is not true or false"},
    {HEAD "storage: {delete: {enabled: 'true'}}\n",
     "c.yml:2: storage.delete.enabled: \"true\" is text, because it is in quotes"},
    {HEAD "storage: {delete: true}\n", "c.yml:2: storage.delete: must be a mapping of settings"},
    {HEAD "storage:\n  maintenance:\n    uploadpurging:\n      age: 7d\n",
     "c.yml:5: storage.maintenance.uploadpurging.age: \"7d\" is not a duration such as 168h"},
    {HEAD "storage: {maintenance: {uploadpurging: {interval: 0s}}}\n",
     "c.yml:2: storage.maintenance.uploadpurging.interval: must be longer than 0"},
    {HEAD "storage: {filesystem: {maxthreads: many}}\n",
     "c.yml:2: storage.filesystem.maxthreads: \"many\" is not a whole number from 0 to"},
    {HEAD "storage: {filesystem: {rootdirectory: \"/a\\nb\"}}\n",
     "c.yml:2: storage.filesystem.rootdirectory: \"/a\\nb\" is not one line of plain text"},
    {HEAD "storage: {filesystem: {rootdirectory: \"/a\\0b\"}}\n",
     "c.yml:2: storage.filesystem.rootdirectory: "},
    {HEAD "storage: s3\n", "c.yml:2: storage.s3: bucket is missing"},
    {HEAD "storage: inmemory\n", "c.yml:2: storage.inmemory: refused: only the storage drivers"},
    {HEAD "storage: {filesystem: {}, inmemory: }\n",
     "c.yml:2: storage.inmemory: refused: only the storage drivers"},
    {HEAD "storage:\n  s3: {secretkey: sEcReT}\n",
     "c.yml:3: storage.s3: secretkey and sessiontoken need accesskey"},
    {S3 "accesskey: AK}\n", "c.yml:3: storage.s3: accesskey needs secretkey"},
    {HEAD "storage:\n  s3: {bucket: b}\n", "c.yml:3: storage.s3: region is missing"},
    {S3 "regionendpoint: 'ftp://a'}\n", "c.yml:3: storage.s3.regionendpoint: must begin with http"},
    {S3 "regionendpoint: 'http://a/b'}\n", "c.yml:3: storage.s3.regionendpoint: must be a host"},
    {S3 "regionendpoint: 'a b'}\n", "c.yml:3: storage.s3.regionendpoint: must be a host"},
    {S3 "v4auth: false}\n", "c.yml:3: storage.s3.v4auth: must be true"},
    {S3 "accelerate: true}\n", "c.yml:3: storage.s3.accelerate: is not supported"},
    {S3 "chunksize: 1000}\n", "c.yml:3: storage.s3.chunksize: \"1000\" is not a whole number from"},
    {S3 "keyid: k}\n", "c.yml:3: storage.s3.keyid: needs encrypt"},
    {S3 "storageclass: 'A, B'}\n", "c.yml:3: storage.s3.storageclass: must be one word"},
    {HEAD "storage:\n  s3: {region: r, bucket: 'a/b'}\n",
     "c.yml:3: storage.s3.bucket: must be the name of a bucket"},
    {S3 "secure: true}\n  filesystem: {}\n",
     "c.yml:3: storage.s3: there is storage.filesystem, too"},
    {HEAD "auth: silly\n", "c.yml:2: auth.silly: refused: only htpasswd and token"},
    {HEAD "auth: token\n", "c.yml:2: auth.token: realm is missing"},
    {HEAD "auth: {token: {realm: x}}\n", "c.yml:2: auth.token: service is missing"},
    {HEAD "auth: {token: {realm: x, service: y}}\n", "c.yml:2: auth.token: issuer is missing"},
    {HEAD "auth: {token: {realm: x, service: y, issuer: z}}\n",
     "c.yml:2: auth.token: rootcertbundle or jwks is missing"},
    {HEAD "auth: {token: {realm: 'x\"', service: y, issuer: z, jwks: j}}\n",
     "c.yml:2: auth.token.realm: must not contain quotes"},
    {HEAD "auth: {token: {realm: x, service: y, issuer: z, jwks: j, signingalgorithms: {a: b}}}\n",
     "c.yml:2: auth.token.signingalgorithms: must be a list"},
    {HEAD "auth: {token: {realm: x, service: y, issuer: z, jwks: j, autoredirectpath: a}}\n",
     "c.yml:2: auth.token.autoredirectpath: must be a path"},
    {HEAD
     "auth: {htpasswd: {realm: a, path: b}, token: {realm: x, service: y, issuer: z, jwks: j}}\n",
     "c.yml:2: auth: has 2 providers"},
    {HEAD "auth: {none: , token: {realm: x, service: y, issuer: z, jwks: j}}\n",
     "c.yml:2: auth: has 2 providers"},
    {HEAD "auth: {htpasswd: {realm: a, path: b}, none: {}}\n", "c.yml:2: auth: has 2 providers"},
    {HEAD "auth: htpasswd\n", "c.yml:2: auth.htpasswd: realm is missing"},
    {HEAD "auth: {htpasswd: {path: b}}\n", "c.yml:2: auth.htpasswd: realm is missing"},
    {HEAD "auth: {htpasswd: {realm: a}}\n", "c.yml:2: auth.htpasswd: path is missing"},
    {HEAD "auth: {htpasswd: {realm: '', path: b}}\n", "c.yml:2: auth.htpasswd: realm is missing"},
    {HEAD "auth: {htpasswd: {realm: 'a\"b', path: b}}\n",
     "c.yml:2: auth.htpasswd.realm: must not contain quotes"},
    {HEAD "catalog: {maxentries: 0}\n",
     "c.yml:2: catalog.maxentries: \"0\" is not a whole number from 1"},
    {HEAD "catalog: {maxentries: -1}\n",
     "c.yml:2: catalog.maxentries: \"-1\" is not a whole number"},
    {HEAD "catalog: {maxentries: 99999999999}\n", "c.yml:2: catalog.maxentries: "},
    /* unsupported settings that would be dangerous to ignore */
    {HEAD "middleware: {repository: [{name: x}]}\n", "c.yml:2: middleware: refused: "},
    {HEAD "proxy: {remoteurl: https://registry-1.docker.io}\n",
     "c.yml:2: proxy.remoteurl: refused: "},
    {HEAD "notifications:\n  endpoints:\n    - {name: a, disabled: true}\n    - {name: b}\n",
     "c.yml:3: notifications.endpoints: refused: "},
    {HEAD "http: {tls: {clientcas: [/ca.pem]}}\n",
     "c.yml:2: http.tls.clientcas: needs http.tls.certificate"},
    {HEAD "http: {tls: {certificate: /c, key: /k, clientcas: [/ca.pem, {a: b}]}}\n",
     "c.yml:2: http.tls.clientcas: must be a list"},
    {HEAD "http: {tls: {certificate: /c, key: /k, clientcas: {a: b}}}\n",
     "c.yml:2: http.tls.clientcas: must be a list"},
    {HEAD "http: {tls: {certificate: /c, key: /k, clientauth: request-client-cert}}\n",
     "c.yml:2: http.tls.clientauth: request-client-cert protects nothing"},
    {HEAD "http: {tls: {letsencrypt: {email: a@b.c}}}\n",
     "c.yml:2: http.tls.letsencrypt: refused: "},
    {HEAD "validation: {manifests: {urls: {allow: ['^https']}}}\n",
     "c.yml:2: validation.manifests.urls.allow: refused: "},
    {HEAD "policy: {repository: {classes: [image]}}\n",
     "c.yml:2: policy.repository.classes: refused: "},
};

static void errors_name_file_line_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        check_refusal(refused[i].text, NO_ENVIRONMENT, refused[i].says);
}

static void unsupported_settings_cause_warnings(void **state)
{
    static const struct {
        const char *text, *warning;
    } ignored[] = {
        {"redis: {addr: localhost:6379, password: sEcReT}\n", "c.yml:3: redis: ignored: "},
        {"reporting: {bugsnag: {apikey: sEcReT}}\n", "c.yml:3: reporting.bugsnag: ignored: "},
        {"health: {http: [{uri: http://x}]}\n", "c.yml:3: health.http: ignored: "},
        {"compatibility: {schema1: {enabled: true}}\n",
         "c.yml:3: compatibility.schema1.enabled: ignored: "},
        {"validation: {disabled: true}\n", "c.yml:3: validation.disabled: ignored: "},
        {"storage: {tag: {concurrencylimit: 8}}\n",
         "c.yml:3: storage.tag.concurrencylimit: ignored: "},
        {"log: {hooks: [{type: mail}]}\n", "c.yml:3: log.hooks: ignored: "},
        /* registry:2 ignores these silently */
        {"htpp: {addr: ':80'}\n", "c.yml:3: htpp: ignored: there is no such setting"},
        {"log: {Level: debug}\n", "c.yml:3: log.Level: ignored: there is no such setting"},
        {"auth:\n  htpasswd:\n    realm: a\n    path: b\n    file: c\n",
         "c.yml:7: auth.htpasswd.file: ignored: "},
        {"log.level: debug\n", "c.yml:3: log.level: ignored: there is no such setting"},
        {"'': debug\n", "c.yml:3: : ignored: there is no such setting"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
        CLEANUP(settings_freep) struct settings *settings = NULL;
        char text[500];

        snprintf(text, sizeof(text), HEAD ADDRESS "%s", ignored[i].text);
        settings = load(text, NO_ENVIRONMENT);
        assert_warns(settings, ignored[i].warning);
        assert_int_equal(count_warnings(settings, "sEcReT"), 0);
        assert_int_equal(settings->log.level, LOG_LEVEL_INFO);
    }
}

/* Settings that request nothing, or the existing behaviour. */
static void settings_without_effect_cause_no_warning(void **state)
{
    static const char *const silent[] = {
        "redis: {}\n",
        "redis:\n",
        "middleware:\n  storage:\n  - name: cloudfront\n    disabled: true\n",
        "notifications: {events: {includereferences: true}, endpoints: []}\n",
        "notifications: {endpoints: [{name: a, disabled: true, url: http://b}]}\n",
        "proxy: {remoteurl: '', ttl: 168h}\n",
        "compatibility: {schema1: {enabled: false}}\n",
        "validation: {enabled: true, disabled: no}\n",
        "health: {storagedriver: {enabled: false}}\n",
        "storage: {redirect: {disable: true}, cache: {blobdescriptor: ''}}\n",
        "policy: {repository: {classes: []}}\n",
        "validation: {manifests: {urls: {allow: [], deny: []}}}\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
        CLEANUP(settings_freep) struct settings *settings = NULL;
        char text[500];

        snprintf(text, sizeof(text), HEAD ADDRESS "%s", silent[i]);
        settings = load(text, NO_ENVIRONMENT);
        assert_case(silent[i], settings->warning_count == 0);
    }
}

static void warnings_are_one_line_each(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(HEAD ADDRESS "\"a\\n\\e[31mb\": c\n", NO_ENVIRONMENT);

    (void)state;
    assert_warns(settings, "c.yml:3: a??[31mb: ignored");
}

static void passwords_without_tls_cause_a_warning(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings =
        load(HEAD ADDRESS "auth: {htpasswd: {realm: a, path: b}}\n", NO_ENVIRONMENT);

    (void)state;
    assert_int_equal(settings->warning_count, 1);
    assert_warns(settings, "auth.htpasswd without http.tls");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    struct settings *settings = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(settings_load("absent.yml", NO_ENVIRONMENT, &settings, &err), -ENOENT);
    assert_says(&err, "cannot read the configuration file absent.yml: ");
    assert_int_equal(settings_load(".", NO_ENVIRONMENT, &settings, &err), -EISDIR);
    assert_int_equal(settings_load("/dev/zero", NO_ENVIRONMENT, &settings, &err), -EFBIG);
    assert_says(&err, "/dev/zero: more than 1048576 bytes");
}

static void the_file_is_the_argument_or_the_variable_s(void **state)
{
    (void)state;
    setenv("REGISTRY_CONFIGURATION_PATH", "b.yml", 1);
    assert_string_equal(settings_choose_path(NULL, NO_ENVIRONMENT), "b.yml");
    assert_string_equal(settings_choose_path("a.yml", NO_ENVIRONMENT), "a.yml");
    setenv("REGISTRY_CONFIGURATION_PATH", "", 1);
    assert_null(settings_choose_path(NULL, NO_ENVIRONMENT));
    assert_string_equal(settings_choose_path("a.yml", NO_ENVIRONMENT), "a.yml");
    unsetenv("REGISTRY_CONFIGURATION_PATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(unset_settings_have_registry_2_s_defaults),
        scratch_test(a_bucket_has_registry_2_s_defaults),
        scratch_test(s3aws_is_another_name_of_s3),
        scratch_test(redirects_are_off_by_default),
        scratch_test(the_blobs_of_a_bucket_can_be_cached),
        scratch_test(a_cache_that_cannot_be_used_is_refused),
        scratch_test(all_settings_of_a_bucket_are_read),
        scratch_test(the_image_s_own_file_loads),
        scratch_test(every_setting_of_log_storage_and_auth_is_read),
        scratch_test(levels_have_aliases_and_an_old_place),
        scratch_test(lone_words_choose_a_driver_and_a_provider),
        scratch_test(registry_2_s_least_number_of_threads_is_ours),
        scratch_test(errors_name_file_line_and_key),
        scratch_test(unsupported_settings_cause_warnings),
        scratch_test(settings_without_effect_cause_no_warning),
        scratch_test(warnings_are_one_line_each),
        scratch_test(passwords_without_tls_cause_a_warning),
        scratch_test(a_file_that_cannot_be_read_is_refused),
        scratch_test(the_file_is_the_argument_or_the_variable_s),
    };

    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
