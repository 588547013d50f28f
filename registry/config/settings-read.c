/*
 * Reads the settings of log, storage, health and auth.htpasswd.
 */
#include "registry/config/settings-private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/byte-size.h"
#include "registry/config/place.h"

enum { THRESHOLD_MAX = 1000000, CACHE_LEAST = 1 << 20 };

static const char *const level_words[] = {
    "error", "warn", "info", "debug", "panic", "fatal", "warning", "trace", NULL,
};

static const enum log_level levels[] = {
    LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG,
    LOG_LEVEL_ERROR, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_DEBUG,
};

static const char *const formatter_words[] = {"text", "json", "logstash", NULL};

/* log.level has precedence over loglevel, which is registry:2's old name for it. */
static int read_level(const struct reader *reader, enum log_level *level)
{
    const char *path = reader_find(reader, "log.level") ? "log.level" : "loglevel";
    unsigned choice;
    int r;

    for (choice = 0; levels[choice] != *level; choice++)
        ;
    r = reader_get_choice(reader, path, level_words, &choice);
    if (r == 0)
        *level = levels[choice];
    return r;
}

/* Whether no log format needs to escape the name. */
static bool is_field_name(const char *name)
{
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            return false;
    return *name && strlen(name) <= 100;
}

static int read_field(const struct reader *reader, const struct yaml_member *member,
                      struct settings_pair *ret)
{
    char path[PLACE_SIZE];

    snprintf(path, sizeof(path), "log.fields.%s", member->name);
    if (!is_field_name(member->name))
        return place_refuse(member->value, path, reader->err,
                            "invalid name: only letters, digits and . _ - are allowed");
    if (member->value->kind != YAML_SCALAR || strlen(member->value->text) != member->value->size)
        return place_refuse(member->value, path, reader->err, "must be a single value");
    ret->name = member->name;
    ret->value = member->value->text;
    return 0;
}

static int read_fields(const struct reader *reader, struct settings_pairs *fields)
{
    const struct yaml_tree *node = reader_find(reader, "log.fields");
    int r = 0;

    if (!node)
        return 0;
    if (node->kind != YAML_MAPPING)
        return place_refuse(node, "log.fields", reader->err,
                            "must be a mapping of names to values");
    fields->items = calloc(node->count + 1, sizeof(*fields->items));
    if (!fields->items)
        return error_set_oom(reader->err);
    for (; r == 0 && fields->count < node->count; fields->count++)
        r = read_field(reader, &node->members[fields->count], &fields->items[fields->count]);
    return r;
}

int settings_read_log(const struct reader *reader, struct settings_log *log)
{
    unsigned formatter = log->formatter;
    int r = read_level(reader, &log->level);

    if (r == 0)
        r = reader_get_choice(reader, "log.formatter", formatter_words, &formatter);
    if (r == 0)
        r = reader_get_bool(reader, "log.accesslog.disabled", &log->is_access_disabled);
    if (r == 0)
        r = read_fields(reader, &log->fields);
    log->formatter = (enum log_formatter)formatter;
    return r;
}

int settings_read_health(const struct reader *reader, struct settings_health *health)
{
    int r = reader_get_bool(reader, "health.storagedriver.enabled", &health->is_enabled);

    if (r == 0)
        r = reader_get_duration(reader, "health.storagedriver.interval", &health->interval_ms);
    if (r == 0)
        r = reader_get_unsigned(reader, "health.storagedriver.threshold", 0, THRESHOLD_MAX,
                                &health->threshold);
    if (health->interval_ms == 0) /* as in registry:2: the default */
        health->interval_ms = SETTINGS_HEALTH_MS;
    if (health->threshold == 0) /* the same: the first failure counts */
        health->threshold = 1;
    return r;
}

static int read_upload_purging(const struct reader *reader, struct settings_upload_purging *purging)
{
    int r =
        reader_get_bool(reader, "storage.maintenance.uploadpurging.enabled", &purging->is_enabled);

    if (r == 0)
        r = reader_get_bool(reader, "storage.maintenance.uploadpurging.dryrun",
                            &purging->is_dry_run);
    if (r == 0)
        r = reader_get_duration(reader, "storage.maintenance.uploadpurging.age", &purging->age_ms);
    if (r == 0)
        r = reader_get_duration(reader, "storage.maintenance.uploadpurging.interval",
                                &purging->interval_ms);
    if (r == 0 && purging->is_enabled && purging->interval_ms == 0)
        return reader_refuse(
            reader, "storage.maintenance.uploadpurging.interval",
            "must be longer than 0; to remove no uploads, set uploadpurging.enabled to false");
    return r;
}

static bool parse_time_of_day(const char *text, unsigned *ret_minute)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) || text[2] != ':' ||
        !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]))
        return false;
    *ret_minute = (unsigned)((text[0] - '0') * 10 + text[1] - '0') * 60 +
                  (unsigned)((text[3] - '0') * 10 + text[4] - '0');
    return *ret_minute < 24 * 60 && text[3] < '6';
}

/* "02:00-05:30" */
static int read_window(const struct reader *reader, struct settings_collection *collection)
{
    static const char path[] = "storage.maintenance.garbagecollect.window";
    const char *text = NULL;
    int r = reader_get_text(reader, path, &text);

    if (r < 0 || !text)
        return r;
    if (strlen(text) != strlen("02:00-05:30") || text[5] != '-' ||
        !parse_time_of_day(text, &collection->window_first) ||
        !parse_time_of_day(text + 6, &collection->window_end))
        return reader_refuse(reader, path, "must be two times of day, such as 02:00-05:30");
    return 0;
}

static int read_collection(const struct reader *reader, struct settings_collection *collection)
{
    enum { MINUTE_MS = 60 * 1000, GRACE_MIN_MS = 2 * MINUTE_MS };
    int r = reader_get_bool(reader, "storage.maintenance.garbagecollect.enabled",
                            &collection->is_enabled);

    if (r == 0)
        r = reader_get_bool(reader, "storage.maintenance.garbagecollect.dryrun",
                            &collection->is_dry_run);
    if (r == 0)
        r = reader_get_bool(reader, "storage.maintenance.garbagecollect.untagged",
                            &collection->does_untag);
    if (r == 0)
        r = reader_get_duration(reader, "storage.maintenance.garbagecollect.interval",
                                &collection->interval_ms);
    if (r == 0)
        r = reader_get_duration(reader, "storage.maintenance.garbagecollect.grace",
                                &collection->grace_ms);
    if (r == 0)
        r = read_window(reader, collection);
    if (r == 0 && collection->interval_ms < MINUTE_MS)
        return reader_refuse(reader, "storage.maintenance.garbagecollect.interval",
                             "must be 1m or longer");
    if (r == 0 && collection->grace_ms < GRACE_MIN_MS)
        return reader_refuse(reader, "storage.maintenance.garbagecollect.grace",
                             "must be 2m or longer");
    return r;
}

/* As in registry:2, less than 25 means 25. */
static int read_threads(const struct reader *reader, unsigned *threads)
{
    enum { LEAST = 25, MOST = 1000000 };
    int r = reader_get_unsigned(reader, "storage.filesystem.maxthreads", 0, MOST, threads);

    if (*threads < LEAST)
        *threads = LEAST;
    return r;
}

/* registry:2 redirects by default; here it must be asked for. A directory has no addresses. */
static int read_redirect(const struct reader *reader, struct settings_storage *storage)
{
    bool is_disabled = true;
    int r = reader_get_bool(reader, "storage.redirect.disable", &is_disabled);

    storage->redirects = !is_disabled && storage->s3.is_enabled;
    return r;
}

static int read_max(const struct reader *reader, uint64_t *ret)
{
    static const char path[] = "storage.cache.maxsize";
    const char *text = NULL;
    int r = reader_get_text(reader, path, &text);

    if (r < 0)
        return r;
    if (!text)
        return reader_refuse(reader, "storage.cache.directory",
                             "needs maxsize beside it: how much it may take, such as 20GB");
    if (byte_size_parse(text, strlen(text), ret) < 0 || *ret < CACHE_LEAST)
        return reader_refuse(reader, path, "must be a size of at least 1MiB, such as 20GB or 500MiB");
    return 0;
}

static int read_cache(const struct reader *reader, struct settings_storage *storage)
{
    static const char path[] = "storage.cache.directory";
    int r = reader_get_text(reader, path, &storage->cache.directory);

    if (r < 0 || !storage->cache.directory)
        return r;
    if (storage->cache.directory[0] != '/')
        return reader_refuse(reader, path, "must be an absolute path");
    if (!storage->s3.is_enabled)
        return reader_refuse(reader, path, "needs storage.s3: it caches the blobs of a bucket");
    if (storage->redirects)
        r = reader_warn(reader, "storage.cache.directory: not used, because storage.redirect sends "
                                "clients to the bucket");
    return r == 0 ? read_max(reader, &storage->cache.max) : r;
}

int settings_read_storage(const struct reader *reader, struct settings_storage *storage)
{
    int r = reader_get_text(reader, "storage.filesystem.rootdirectory", &storage->root_directory);

    if (r == 0)
        r = settings_read_s3(reader, &storage->s3);
    if (r == 0)
        r = read_redirect(reader, storage);
    if (r == 0)
        r = read_cache(reader, storage);
    if (r == 0)
        r = read_threads(reader, &storage->max_threads);
    if (r == 0)
        r = reader_get_bool(reader, "storage.delete.enabled", &storage->is_delete_enabled);
    if (r == 0)
        r = reader_get_bool(reader, "storage.maintenance.readonly.enabled", &storage->is_read_only);
    if (r == 0)
        r = read_upload_purging(reader, &storage->upload_purging);
    if (r == 0)
        r = read_collection(reader, &storage->collection);
    return r;
}

static int check_realm(const struct reader *reader, const char *realm)
{
    if (strpbrk(realm, "\"\\"))
        return reader_refuse(
            reader, "auth.htpasswd.realm",
            "must not contain quotes or backslashes: clients parse them differently");
    return 0;
}

int settings_read_auth(const struct reader *reader, struct settings_auth *auth)
{
    const struct yaml_tree *provider = yaml_tree_find(reader->tree, "auth");
    const struct yaml_tree *htpasswd = yaml_tree_find(provider, "htpasswd");
    int r;

    if (!htpasswd && !yaml_tree_find(provider, "token"))
        return 0;
    if (provider->count > 1)
        return place_refuse(provider, "auth", reader->err,
                            "has %zu providers; name one: htpasswd, token or none",
                            provider->count);
    if (!htpasswd)
        return 0;
    r = reader_get_text(reader, "auth.htpasswd.realm", &auth->realm);
    if (r == 0)
        r = reader_get_text(reader, "auth.htpasswd.path", &auth->path);
    if (r == 0 && !auth->realm)
        return place_refuse(
            htpasswd, "auth.htpasswd", reader->err,
            "realm is missing: the name that clients show when they ask for a password");
    if (r == 0 && !auth->path)
        return place_refuse(htpasswd, "auth.htpasswd", reader->err,
                            "path is missing: the file with the users and their bcrypt hashes");
    auth->is_htpasswd = true;
    if (r == 0)
        r = reader_get_unsigned(reader, "auth.htpasswd.guesses", 0, 60000, &auth->guesses);
    if (r == 0)
        r = reader_get_text(reader, "auth.htpasswd.access", &auth->access);
    if (r == 0)
        r = reader_get_text(reader, "auth.htpasswd.robots", &auth->robots);
    auth->has_tokens = auth->access;
    if (r == 0)
        r = reader_get_bool(reader, "auth.htpasswd.tokens", &auth->has_tokens);
    return r < 0 ? r : check_realm(reader, auth->realm);
}
