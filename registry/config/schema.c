/*
 * A table of all settings of registry:2: a setting is supported, ignored with a warning, or
 * refused. It is refused if ignoring it would lose data, access control or another protection.
 */
#include "registry/config/schema.h"

#include <stdio.h>
#include <string.h>

#include "registry/config/place.h"
#include "registry/config/satisfied.h"

enum treatment {
    USED,
    POINTLESS, /* accepted: it asks for what registryd does, or it belongs to a refused setting */
    IGNORED, /* a warning, if it asks for something that registryd does not do */
    REFUSED, /* an error, if it asks for something that registryd does not do */
};

struct setting {
    const char *path; /* "*" stands for one name */
    enum schema_kind kind;
    enum treatment treatment;
    const char *reason;
};

#define ONLY_FILES "only the storage drivers filesystem and s3 are built in"
#define ONLY_HTPASSWD \
    "only htpasswd and token authentication are built in, and without authentication " \
    "everybody could push"
#define NO_CACHE "there is no cache in Redis, and none is needed"
#define NO_URL_CHECKS "the URLs in manifests are not checked: every URL is accepted"
#define NO_REPORTING "nothing is reported to other services"
#define NO_HEALTH_CHECKS "/healthz and /debug/health check the storage and nothing else"

/* A "*" comes after the names beside it, and applies to all others. */
static const struct setting settings[] = {
    {"version", SCHEMA_VALUE, USED, NULL},
    {"loglevel", SCHEMA_VALUE, USED, NULL},

    {"log", SCHEMA_GROUP, USED, NULL},
    {"log.accesslog", SCHEMA_GROUP, USED, NULL},
    {"log.accesslog.disabled", SCHEMA_VALUE, USED, NULL},
    {"log.level", SCHEMA_VALUE, USED, NULL},
    {"log.formatter", SCHEMA_VALUE, USED, NULL},
    {"log.fields", SCHEMA_OPEN, USED, NULL},
    {"log.hooks", SCHEMA_OPEN, IGNORED, "no mail is sent"},
    {"log.reportcaller", SCHEMA_VALUE, IGNORED, "log lines do not name functions"},

    {"storage", SCHEMA_NAMED, USED, NULL},
    {"storage.filesystem", SCHEMA_GROUP, USED, NULL},
    {"storage.filesystem.rootdirectory", SCHEMA_VALUE, USED, NULL},
    {"storage.filesystem.maxthreads", SCHEMA_VALUE, USED, NULL},
    {"storage.s3", SCHEMA_GROUP, USED, NULL},
    {"storage.s3.accesskey", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.secretkey", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.sessiontoken", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.region", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.regionendpoint", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.bucket", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.rootdirectory", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.secure", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.skipverify", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.v4auth", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.forcepathstyle", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.chunksize", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.multipartcopychunksize", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.multipartcopythresholdsize", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.multipartcopymaxconcurrency", SCHEMA_VALUE, POINTLESS, NULL},
    {"storage.s3.encrypt", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.keyid", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.storageclass", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.objectacl", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.accelerate", SCHEMA_VALUE, USED, NULL},
    {"storage.s3.loglevel", SCHEMA_VALUE, IGNORED, "log.level is for all of the log"},
    {"storage.s3.useragent", SCHEMA_VALUE, IGNORED, "requests name no user agent"},
    {"storage.s3.usedualstack", SCHEMA_VALUE, IGNORED, "name the endpoint in regionendpoint"},
    {"storage.delete", SCHEMA_GROUP, USED, NULL},
    {"storage.delete.enabled", SCHEMA_VALUE, USED, NULL},
    {"storage.redirect", SCHEMA_GROUP, USED, NULL},
    {"storage.redirect.disable", SCHEMA_VALUE, USED, NULL},
    {"storage.cache", SCHEMA_GROUP, USED, NULL},
    {"storage.cache.blobdescriptor", SCHEMA_VALUE, IGNORED, NO_CACHE},
    {"storage.cache.layerinfo", SCHEMA_VALUE, IGNORED, NO_CACHE},
    {"storage.cache.blobdescriptorsize", SCHEMA_VALUE, POINTLESS, NULL},
    {"storage.cache.directory", SCHEMA_VALUE, USED, NULL}, /* ours */
    {"storage.cache.maxsize", SCHEMA_VALUE, USED, NULL},   /* ours */
    {"storage.tag", SCHEMA_GROUP, USED, NULL},
    {"storage.tag.concurrencylimit", SCHEMA_VALUE, IGNORED, "tags are looked up without a limit"},
    {"storage.maintenance", SCHEMA_GROUP, USED, NULL},
    {"storage.maintenance.readonly", SCHEMA_GROUP, USED, NULL},
    {"storage.maintenance.readonly.enabled", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.uploadpurging", SCHEMA_GROUP, USED, NULL},
    {"storage.maintenance.uploadpurging.enabled", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.uploadpurging.age", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.uploadpurging.interval", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.uploadpurging.dryrun", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.garbagecollect", SCHEMA_GROUP, USED, NULL}, /* ours */
    {"storage.maintenance.garbagecollect.enabled", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.garbagecollect.interval", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.garbagecollect.window", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.garbagecollect.grace", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.garbagecollect.untagged", SCHEMA_VALUE, USED, NULL},
    {"storage.maintenance.garbagecollect.dryrun", SCHEMA_VALUE, USED, NULL},
    {"storage.*", SCHEMA_OPEN, REFUSED, ONLY_FILES},

    {"auth", SCHEMA_NAMED, USED, NULL},
    {"auth.none", SCHEMA_OPEN, USED, NULL},
    {"auth.htpasswd", SCHEMA_GROUP, USED, NULL},
    {"auth.htpasswd.realm", SCHEMA_VALUE, USED, NULL},
    {"auth.htpasswd.path", SCHEMA_VALUE, USED, NULL},
    {"auth.htpasswd.guesses", SCHEMA_VALUE, USED, NULL}, /* ours */
    {"auth.htpasswd.access", SCHEMA_VALUE, USED, NULL},  /* ours */
    {"auth.htpasswd.robots", SCHEMA_VALUE, USED, NULL},  /* ours */
    {"auth.htpasswd.tokens", SCHEMA_VALUE, USED, NULL},  /* ours */
    {"auth.token", SCHEMA_GROUP, USED, NULL},
    {"auth.token.realm", SCHEMA_VALUE, USED, NULL},
    {"auth.token.service", SCHEMA_VALUE, USED, NULL},
    {"auth.token.issuer", SCHEMA_VALUE, USED, NULL},
    {"auth.token.rootcertbundle", SCHEMA_VALUE, USED, NULL},
    {"auth.token.jwks", SCHEMA_VALUE, USED, NULL},
    {"auth.token.signingalgorithms", SCHEMA_OPEN, USED, NULL},
    {"auth.token.autoredirect", SCHEMA_VALUE, USED, NULL},
    {"auth.token.autoredirectpath", SCHEMA_VALUE, USED, NULL},
    {"auth.*", SCHEMA_OPEN, REFUSED, ONLY_HTPASSWD},

    {"middleware", SCHEMA_OPEN, REFUSED, "no middleware is supported"},

    {"reporting", SCHEMA_GROUP, USED, NULL},
    {"reporting.bugsnag", SCHEMA_OPEN, IGNORED, NO_REPORTING},
    {"reporting.newrelic", SCHEMA_OPEN, IGNORED, NO_REPORTING},

    {"http", SCHEMA_GROUP, USED, NULL},
    {"http.addr", SCHEMA_VALUE, USED, NULL},
    {"http.net", SCHEMA_VALUE, USED, NULL},
    {"http.host", SCHEMA_VALUE, USED, NULL},
    {"http.prefix", SCHEMA_VALUE, USED, NULL},
    {"http.secret", SCHEMA_VALUE, USED, NULL},
    {"http.relativeurls", SCHEMA_VALUE, USED, NULL},
    {"http.draintimeout", SCHEMA_VALUE, USED, NULL},
    {"http.headers", SCHEMA_OPEN, USED, NULL},
    {"http.http2", SCHEMA_GROUP, POINTLESS, NULL},
    {"http.http2.disabled", SCHEMA_VALUE, POINTLESS, NULL},
    {"http.h2c", SCHEMA_GROUP, USED, NULL},
    {"http.h2c.enabled", SCHEMA_VALUE, IGNORED, "only HTTP/1.1 is supported"},
    {"http.tls", SCHEMA_GROUP, USED, NULL},
    {"http.tls.certificate", SCHEMA_VALUE, USED, NULL},
    {"http.tls.key", SCHEMA_VALUE, USED, NULL},
    {"http.tls.minimumtls", SCHEMA_VALUE, USED, NULL},
    {"http.tls.ciphersuites", SCHEMA_OPEN, IGNORED,
     "the ciphers are fixed: ECDHE with AES-GCM or ChaCha20-Poly1305, which are secure"},
    {"http.tls.clientcas", SCHEMA_OPEN, USED, NULL},
    {"http.tls.clientauth", SCHEMA_VALUE, USED, NULL},
    {"http.tls.letsencrypt", SCHEMA_OPEN, REFUSED,
     "registryd does not request certificates; let an ACME client write http.tls.certificate and "
      "http.tls.key"},
    {"http.trustedproxies", SCHEMA_OPEN, USED, NULL}, /* ours */
    {"http.limits", SCHEMA_GROUP, USED, NULL},        /* ours, like the timeouts */
    {"http.limits.connections", SCHEMA_VALUE, USED, NULL},
    {"http.limits.peraddress", SCHEMA_VALUE, USED, NULL},
    {"http.limits.minrate", SCHEMA_VALUE, USED, NULL},
    {"http.timeouts", SCHEMA_GROUP, USED, NULL},
    {"http.timeouts.head", SCHEMA_VALUE, USED, NULL},
    {"http.timeouts.idle", SCHEMA_VALUE, USED, NULL},
    {"http.timeouts.transfer", SCHEMA_VALUE, USED, NULL},
    {"http.debug", SCHEMA_GROUP, USED, NULL},
    {"http.debug.addr", SCHEMA_VALUE, USED, NULL},
    {"http.debug.prometheus", SCHEMA_GROUP, USED, NULL},
    {"http.debug.prometheus.enabled", SCHEMA_VALUE, USED, NULL},
    {"http.debug.prometheus.path", SCHEMA_VALUE, USED, NULL},

    {"confinement", SCHEMA_GROUP, USED, NULL}, /* ours */
    {"confinement.enabled", SCHEMA_VALUE, USED, NULL},
    {"confinement.user", SCHEMA_VALUE, USED, NULL},

    {"page", SCHEMA_GROUP, USED, NULL}, /* ours */
    {"page.enabled", SCHEMA_VALUE, USED, NULL},

    {"catalog", SCHEMA_GROUP, USED, NULL},
    {"catalog.maxentries", SCHEMA_VALUE, USED, NULL},
    {"tags", SCHEMA_GROUP, USED, NULL},
    {"tags.maxtags", SCHEMA_VALUE, USED, NULL},

    {"notifications", SCHEMA_GROUP, USED, NULL},
    {"notifications.events", SCHEMA_OPEN, POINTLESS, NULL},
    {"notifications.endpoints", SCHEMA_OPEN, REFUSED,
     "no notifications are sent, so that a listener would miss every push; remove the endpoints, "
     "or set disabled: true in each"},

    {"redis", SCHEMA_OPEN, IGNORED, "nothing is kept in Redis"},
    {"health", SCHEMA_GROUP, USED, NULL},
    {"health.storagedriver", SCHEMA_GROUP, USED, NULL},
    {"health.storagedriver.enabled", SCHEMA_VALUE, USED, NULL},
    {"health.storagedriver.interval", SCHEMA_VALUE, USED, NULL},
    {"health.storagedriver.threshold", SCHEMA_VALUE, USED, NULL},
    {"health.file", SCHEMA_OPEN, IGNORED, NO_HEALTH_CHECKS},
    {"health.http", SCHEMA_OPEN, IGNORED, NO_HEALTH_CHECKS},
    {"health.tcp", SCHEMA_OPEN, IGNORED, NO_HEALTH_CHECKS},

    {"proxy", SCHEMA_GROUP, USED, NULL},
    {"proxy.remoteurl", SCHEMA_VALUE, REFUSED, "registryd is not a pull-through cache"},
    {"proxy.username", SCHEMA_VALUE, POINTLESS, NULL},
    {"proxy.password", SCHEMA_VALUE, POINTLESS, NULL},
    {"proxy.ttl", SCHEMA_VALUE, POINTLESS, NULL},
    {"proxy.exec", SCHEMA_OPEN, POINTLESS, NULL},

    {"compatibility", SCHEMA_GROUP, USED, NULL},
    {"compatibility.schema1", SCHEMA_GROUP, USED, NULL},
    {"compatibility.schema1.enabled", SCHEMA_VALUE, IGNORED,
     "manifests of schema 1, a format that docker no longer uses, are not accepted"},
    {"compatibility.schema1.signingkeyfile", SCHEMA_VALUE, POINTLESS, NULL},
    {"compatibility.schema1.trustkey", SCHEMA_VALUE, POINTLESS, NULL},

    {"validation", SCHEMA_GROUP, USED, NULL},
    {"validation.enabled", SCHEMA_VALUE, POINTLESS, NULL},
    {"validation.disabled", SCHEMA_VALUE, IGNORED, "manifests are always checked"},
    {"validation.manifests", SCHEMA_GROUP, USED, NULL},
    {"validation.manifests.urls", SCHEMA_GROUP, USED, NULL},
    {"validation.manifests.urls.allow", SCHEMA_OPEN, REFUSED, NO_URL_CHECKS},
    {"validation.manifests.urls.deny", SCHEMA_OPEN, REFUSED, NO_URL_CHECKS},
    {"validation.manifests.indexes", SCHEMA_GROUP, USED, NULL},
    {"validation.manifests.indexes.platforms", SCHEMA_VALUE, IGNORED,
     "an index is accepted only if the manifests of all its platforms are there"},
    {"validation.manifests.indexes.platformlist", SCHEMA_OPEN, POINTLESS, NULL},

    {"policy", SCHEMA_GROUP, USED, NULL},
    {"policy.repository", SCHEMA_GROUP, USED, NULL},
    {"policy.repository.classes", SCHEMA_OPEN, REFUSED,
     "the classes of repositories are not checked"},
};

/* Whether path is the setting's own, or is below a setting of the kind SCHEMA_OPEN. */
static bool is_at(const struct setting *setting, const char *path)
{
    const char *pattern = setting->path;

    for (; *pattern && *path; pattern++) {
        if (*pattern == '*')
            path += strcspn(path, ".");
        else if (*pattern == *path)
            path++;
        else
            return false;
    }
    return !*pattern && (!*path || (*path == '.' && setting->kind == SCHEMA_OPEN));
}

/*
 * Whether path is below a listed setting such as storage.delete; then "storage.*" does not apply.
 */
static bool is_below(const struct setting *setting, const char *path)
{
    size_t size = strlen(setting->path);

    return strchr(setting->path, '.') && strncmp(path, setting->path, size) == 0 &&
           path[size] == '.';
}

static const struct setting *find_setting(const char *path)
{
    bool is_listed = false;

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (is_at(&settings[i], path) && !(is_listed && strchr(settings[i].path, '*')))
            return &settings[i];
        is_listed = is_listed || is_below(&settings[i], path);
    }
    return NULL;
}

enum schema_kind schema_find(const char *path)
{
    const struct setting *setting = find_setting(path);

    return setting ? setting->kind : SCHEMA_UNKNOWN;
}

bool schema_is_secret(const char *path)
{
    static const char *const words[] = {"secret", "password", "key", "token", "credential"};
    const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;

    if (strcmp(path, "http.tls.key") == 0) /* a path */
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

static int expand(struct yaml_tree *root, const char *name, const struct yaml_tree *word)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *mapping = NULL, *nothing = NULL;
    int r = yaml_tree_new(YAML_MAPPING, word, NULL, &mapping);

    if (r == 0)
        r = yaml_tree_new_scalar("", 0, true, word, NULL, &nothing);
    if (r == 0)
        r = yaml_tree_add(mapping, word->text, word->line, nothing);
    if (r < 0)
        return r;
    steal_ptr(&nothing);
    r = yaml_tree_set(root, name, mapping); /* frees the word */
    if (r == 0)
        steal_ptr(&mapping);
    return r;
}

int schema_expand(struct yaml_tree *root)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settings); i++) {
        const struct yaml_tree *value = yaml_tree_find(root, settings[i].path);

        if (settings[i].kind == SCHEMA_NAMED && value && value->kind == YAML_SCALAR &&
            !yaml_tree_is_null(value))
            r = expand(root, settings[i].path, value);
    }
    return r;
}

/*
 * A null, a false, a mapping with `disabled: true`, and lists and mappings of only these ask for
 * nothing.
 */
static bool asks_for_something(const struct yaml_tree *tree)
{
    const struct yaml_tree *disabled = yaml_tree_find(tree, "disabled");
    bool value;

    if (tree->kind == YAML_SCALAR)
        return tree->size > 0 && !yaml_tree_is_null(tree) &&
               (yaml_tree_get_bool(tree, &value) < 0 || value);
    if (disabled && yaml_tree_get_bool(disabled, &value) == 0 && value)
        return false;
    for (size_t i = 0; i < tree->count; i++)
        if (asks_for_something(tree->members[i].value))
            return true;
    return false;
}

/*
 * Whether a setting asks for something that registryd does not do. A name alone is enough for a
 * choice (`storage: s3`).
 */
static bool is_wanted(const struct setting *setting, const struct yaml_tree *tree)
{
    if (satisfied_is(setting->path, tree))
        return false;
    return strchr(setting->path, '*') || asks_for_something(tree);
}

struct check {
    struct text_list *warnings;
    struct error *err;
};

static int warn(struct check *check, const struct yaml_tree *tree, const char *path,
                const char *text)
{
    char place[PLACE_SIZE];

    place_format(tree, path, place);
    return text_list_add(check->warnings, "%s: ignored: %s", place, text) < 0
               ? error_set_oom(check->err)
               : 0;
}

static int check_group(struct check *check, const struct yaml_tree *tree, const char *path);

static int check_setting(struct check *check, const struct setting *setting,
                         const struct yaml_tree *tree, const char *path)
{
    if (setting->treatment == REFUSED && is_wanted(setting, tree))
        return place_refuse(tree, path, check->err, "refused: %s", setting->reason);
    if (setting->treatment == IGNORED && is_wanted(setting, tree))
        return warn(check, tree, path, setting->reason);
    if (setting->kind == SCHEMA_GROUP || setting->kind == SCHEMA_NAMED)
        return check_group(check, tree, path);
    if (setting->kind == SCHEMA_VALUE && tree->kind != YAML_SCALAR)
        return place_refuse(tree, path, check->err, "must be a single value");
    return 0;
}

/* Messages show the line of the member's key, not of its value. */
static int check_member(struct check *check, const struct yaml_member *member, const char *path)
{
    const struct setting *setting = strchr(member->name, '.') ? NULL : find_setting(path);
    struct yaml_tree key = *member->value;

    key.line = member->line;
    if (!setting)
        return warn(check, &key, path, "there is no such setting");
    return check_setting(check, setting, &key, path);
}

static int check_group(struct check *check, const struct yaml_tree *tree, const char *path)
{
    if (yaml_tree_is_null(tree))
        return 0;
    if (tree->kind != YAML_MAPPING)
        return place_refuse(tree, path, check->err, "must be a mapping of settings");
    for (size_t i = 0; i < tree->count; i++) {
        char member_path[PLACE_SIZE / 2];
        int length = snprintf(member_path, sizeof(member_path), "%s%s%s", path, *path ? "." : "",
                              tree->members[i].name);
        int r;

        if ((size_t)length >= sizeof(member_path))
            return place_refuse(tree->members[i].value, path, check->err,
                                "contains a key that is too long: %d bytes with its parents",
                                length);
        r = check_member(check, &tree->members[i], member_path);
        if (r < 0)
            return r;
    }
    return 0;
}

int schema_check(const struct yaml_tree *tree, struct text_list *warnings, struct error *err)
{
    struct check check = {.warnings = warnings, .err = err};

    return check_group(&check, tree, "");
}
