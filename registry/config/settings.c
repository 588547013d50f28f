/*
 * Loads settings in this order: parse the file into a tree, apply the variables to it, check every
 * key once, read the values. The keys are checked first, so that a refused setting is always
 * reported.
 */
#include "registry/config/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "registry/config/environment.h"
#include "registry/config/place.h"
#include "registry/config/schema.h"
#include "registry/config/settings-private.h"
#include "registry/config/yaml.h"

/* What settings_load() allocates: the public part, and the memory of its text. */
struct loaded {
    struct settings settings;
    struct text_list warnings;
    struct text_list sources; /* the file's name and the variables', which the tree borrows */
};

enum {
    DAY_MS = 24 * 60 * 60 * 1000,
    CATALOG_DEFAULT = 1000,
    PAGE_MAX = 1000000,
    GUESSES_DEFAULT = 30
};

static const struct settings defaults = {
    .log = {.level = LOG_LEVEL_INFO, .formatter = LOG_FORMATTER_TEXT},
    .storage = {
        .root_directory = "/var/lib/registry",
        .max_threads = 100,
        .upload_purging = {.is_enabled = true, .age_ms = 7 * DAY_MS, .interval_ms = DAY_MS},
        .collection = {.interval_ms = DAY_MS, .grace_ms = DAY_MS},
    },
    .http = {
        .net = "tcp",
        .prefix = "",
        .debug = {.prometheus_path = "/metrics"},
        .limits = {
            .connections = 20000, .per_address = 4000, .min_rate = 500,
            .head_ms = 30000, .idle_ms = 120000, .transfer_ms = 60000,
        },
    },
    .has_page = true,
    .catalog_max = CATALOG_DEFAULT,
    .auth = {.guesses = GUESSES_DEFAULT},
    .health = {.is_enabled = true, .interval_ms = SETTINGS_HEALTH_MS, .threshold = 3},
    .confinement = {.is_enabled = true},
};

/*
 * A file that cannot be examined counts as existing: an error is better than silently using another
 * file.
 */
static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

const char *settings_choose_path(const char *argument, char *const *environment)
{
    const char *path = argument ? argument : getenv("REGISTRY_CONFIGURATION_PATH");

    if (path)
        return *path ? path : NULL;
    if (!environment_has_settings(environment) && is_there(SETTINGS_SERVICE_PATH))
        return SETTINGS_SERVICE_PATH;
    return is_there(SETTINGS_IMAGE_PATH) ? SETTINGS_IMAGE_PATH : NULL;
}

static int read_file(const char *path, char **ret_text, size_t *ret_size, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : file_read_all(fd, YAML_SIZE_MAX, ret_text, ret_size);

    if (r == -EFBIG)
        return error_set(err, EFBIG, "%s: more than %d bytes; this is not a configuration file",
                         path, YAML_SIZE_MAX);
    return r < 0 ? error_set_errno(err, -r, "cannot read the configuration file %s", path) : 0;
}

/* A file says for which version it was written. registry:2 requires that, too. */
static int check_version(const struct yaml_tree *tree, const char *path, struct error *err)
{
    const struct yaml_tree *version = yaml_tree_find(tree, "version");

    if (tree->kind != YAML_MAPPING || !version)
        return error_set(err, EINVAL, "%s: the line \"version: 0.1\" is missing", path);
    if (version->kind != YAML_SCALAR || strcmp(version->text, "0.1") != 0)
        return place_refuse(version, "version", err, "must be 0.1, the only version");
    return 0;
}

static int load_file(struct loaded *loaded, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    int r;

    if (text_list_add(&loaded->sources, "%s", path) < 0)
        return error_set_oom(err);
    r = read_file(path, &text, &size, err);
    if (r == 0)
        r = yaml_parse(loaded->sources.items[0], YAML_FILE, text, size, &loaded->settings.tree, err);
    if (text)
        explicit_bzero(text, size);
    free(text);
    if (r == 0)
        r = check_version(loaded->settings.tree, path, err);
    if (r == 0 && schema_expand(loaded->settings.tree) < 0)
        return error_set_oom(err);
    return r;
}

/* registry:2 knows its driver for S3 by two names, s3 and s3aws. */
static int unite_s3aws(const struct yaml_tree *root, struct error *err)
{
    const struct yaml_tree *storage = yaml_tree_find(root, "storage");

    for (size_t i = 0; storage && storage->kind == YAML_MAPPING && i < storage->count; i++) {
        struct yaml_member *member = &storage->members[i];
        char *name;

        if (strcmp(member->name, "s3aws") != 0)
            continue;
        if (yaml_tree_find(storage, "s3"))
            return place_refuse(member->value, "storage.s3aws", err,
                                "there is storage.s3, too, which is the same driver: name one of "
                                "them");
        name = strdup("s3");
        if (!name)
            return error_set_oom(err);
        free(member->name);
        member->name = name;
    }
    return 0;
}

static int build_tree(struct loaded *loaded, const char *path, char *const *environment,
                      struct error *err)
{
    static const struct yaml_tree nowhere = {.source = "environment"};
    int r;

    if (path)
        r = load_file(loaded, path, err);
    else
        r = yaml_tree_new(YAML_MAPPING, &nowhere, NULL, &loaded->settings.tree) < 0
                ? error_set_oom(err)
                : 0;
    if (r < 0)
        return r;
    r = environment_apply(environment, loaded->settings.tree, &loaded->sources, &loaded->warnings,
                          err);
    return r < 0 ? r : unite_s3aws(loaded->settings.tree, err);
}

static int read_tree(struct loaded *loaded, struct error *err)
{
    struct settings *settings = &loaded->settings;
    const struct reader reader = {
        .tree = settings->tree, .warnings = &loaded->warnings, .err = err};
    int r = schema_check(settings->tree, &loaded->warnings, err);

    if (r == 0)
        r = settings_read_log(&reader, &settings->log);
    if (r == 0)
        r = settings_read_storage(&reader, &settings->storage);
    if (r == 0)
        r = settings_read_health(&reader, &settings->health);
    if (r == 0)
        r = settings_read_auth(&reader, &settings->auth);
    if (r == 0)
        r = settings_read_token(&reader, &settings->token);
    if (r == 0)
        r = settings_read_http(&reader, &settings->http);
    if (r == 0)
        r = reader_get_unsigned(&reader, "catalog.maxentries", 1, PAGE_MAX, &settings->catalog_max);
    if (r == 0)
        r = reader_get_unsigned(&reader, "tags.maxtags", 0, PAGE_MAX, &settings->tags_max);
    if (r == 0)
        r = reader_get_bool(&reader, "page.enabled", &settings->has_page);
    if (r == 0)
        r = reader_get_bool(&reader, "confinement.enabled", &settings->confinement.is_enabled);
    if (r == 0)
        r = reader_get_text(&reader, "confinement.user", &settings->confinement.user);
    if (r == 0 && settings->confinement.user && !settings->confinement.is_enabled)
        r = reader_refuse(&reader, "confinement.user", "needs confinement.enabled");
    if (r == 0 && settings->auth.is_htpasswd && !settings->http.tls.key)
        r = reader_warn(
            &reader,
            "auth.htpasswd without http.tls: passwords arrive unencrypted; let only a proxy with "
            "TLS reach %s",
            settings->http.address);
    if (r == 0 && settings->auth.has_tokens && !settings->http.tls.key && !settings->http.host &&
        settings->http.trusted_proxy_count == 0)
        r = reader_warn(&reader, "auth.htpasswd.tokens without http.tls: clients are told to fetch "
                         "tokens from http://; if a proxy adds TLS, set http.host to the URL that "
                         "clients use, or name the proxy in http.trustedproxies");
    return r;
}

int settings_load(const char *path, char *const *environment, struct settings **ret,
                  struct error *err)
{
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    int r;

    if (!loaded)
        return error_set_oom(err);
    loaded->settings = defaults;
    r = build_tree(loaded, path, environment, err);
    if (r == 0)
        r = read_tree(loaded, err);
    if (r < 0) {
        settings_free(&loaded->settings);
        return r;
    }
    loaded->settings.warnings = loaded->warnings.items;
    loaded->settings.warning_count = loaded->warnings.count;
    *ret = &loaded->settings;
    return 0;
}

int settings_load_for_data(const char *argument, char *const *environment, struct settings **ret,
                           struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    const char *path = settings_choose_path(argument, environment);
    int r = settings_load(path, environment, &settings, err);
    const struct reader reader = {.tree = settings ? settings->tree : NULL, .err = err};

    if (r < 0)
        return r;
    if (!path && !settings->storage.s3.is_enabled &&
        !reader_find(&reader, "storage.filesystem.rootdirectory"))
        return error_set(
            err, EINVAL,
            "no configuration says where the data is: name the file, or set "
            "REGISTRY_CONFIGURATION_PATH, REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY or "
            "REGISTRY_STORAGE_S3_BUCKET");
    *ret = settings;
    settings = NULL;
    return 0;
}

void settings_free(struct settings *settings)
{
    struct loaded *loaded = (struct loaded *)settings; /* its first member */

    if (!loaded)
        return;
    secbuf_done(&settings->http.secret);
    settings_free_s3(&settings->storage.s3);
    free(settings->http.headers.items);
    free(settings->http.trusted_proxies);
    free(settings->http.tls.client_cas);
    free(settings->token.algorithms);
    free(settings->log.fields.items);
    yaml_tree_free(settings->tree);
    text_list_done(&loaded->warnings);
    text_list_done(&loaded->sources);
    free(loaded);
}

void settings_freep(struct settings **settings)
{
    settings_free(*settings);
}
