#include "registry/cli/serve/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/monotonic.h"
#include "registry/api/report.h"
#include "registry/api/routes.h"
#include "registry/cli/open-store.h"
#include "registry/cli/serve/quotas.h"
#include "registry/runtime/log.h"
#include "registry/runtime/metrics.h"
#include "registry/storage/measured.h"

enum {
    DRAIN_DEFAULT_MS = 10000,
    WORKERS = 24,        /* most of them wait for the disk; one user can occupy at most 16 */
    REMOTE_WORKERS = 64, /* they wait for a network */
    REMOTE_READERS = 32, /* the same, and compute with what they read */
    QUEUE = 8192,
    /* threads beyond the number of processors, because lists may wait for the disk */
    SPARE_COMPUTERS = 2,
    COMPUTER_NICENESS = 5,
};

/* --- the log --------------------------------------------------------------------------------- */

static int open_log(const struct settings_log *settings, struct error *err)
{
    CLEANUP_FREE struct log_field *fields = calloc(settings->fields.count + 1, sizeof(*fields));

    if (!fields)
        return error_set_oom(err);
    for (size_t i = 0; i < settings->fields.count; i++)
        fields[i] = log_text(settings->fields.items[i].name, settings->fields.items[i].value);
    return log_open(
        &(struct log_options){
            .level = settings->level,
            .formatter = settings->formatter,
            .is_access_disabled = settings->is_access_disabled,
            .fields = fields,
            .field_count = settings->fields.count,
        },
        err);
}

static void write_log(void *context)
{
    (void)context;
    log_flush();
}

static void log_start(const struct settings *settings, const char *configuration)
{
    if (configuration)
        log_info("configuration: %s", configuration);
    for (size_t i = 0; i < settings->warning_count; i++)
        log_warn("%s", settings->warnings[i]);
}

/* --- starting -------------------------------------------------------------------------------- */

static int copy_headers(struct service *service, struct error *err)
{
    const struct settings_pairs *pairs = &service->settings->http.headers;

    service->headers = calloc(pairs->count + 1, sizeof(*service->headers));
    if (!service->headers)
        return error_set_oom(err);
    for (size_t i = 0; i < pairs->count; i++)
        service->headers[i] =
            (struct server_header){.name = pairs->items[i].name, .value = pairs->items[i].value};
    return 0;
}

static struct connection_limits limits_of(const struct settings_limits *limits)
{
    return (struct connection_limits){
        .most = limits->connections,
        .most_per_address = limits->per_address,
        .head_ms = limits->head_ms,
        .idle_ms = limits->idle_ms,
        .transfer_ms = limits->transfer_ms,
        .min_rate = limits->min_rate,
    };
}

static struct listeners steal_listeners(struct listeners *listeners)
{
    struct listeners stolen = *listeners;

    *listeners = (struct listeners){0};
    return stolen;
}

static void log_damage(const struct digest *canonical)
{
    log_error(
        "the blob sha256:%s is damaged, so the download was cut off: remove its file and push "
        "the image again",
        canonical->hex);
}

/*
 * One pool is for work that waits for the disk. The other has a lower priority and is for work that
 * computes.
 */
static int start_pools(struct service *service, struct error *err)
{
    bool is_remote = store_is_remote(service->store);
    int r = worker_pool_start("worker", is_remote ? REMOTE_WORKERS : WORKERS, QUEUE, 0,
                              &service->workers, err);

    if (r == 0)
        r = worker_pool_start("computer", server_count_threads() + SPARE_COMPUTERS, QUEUE,
                              COMPUTER_NICENESS, &service->computers, err);
    if (r == 0 && is_remote)
        r = worker_pool_start("stream", REMOTE_WORKERS, QUEUE, 0, &service->streams, err);
    if (r == 0 && is_remote)
        r = worker_pool_start("reader", REMOTE_READERS, QUEUE, COMPUTER_NICENESS,
                              &service->readers, err);
    return r;
}

/* Counts only if the metrics can be requested, because counting costs each request a little. */
static int make_metrics(struct service *service, struct error *err)
{
    const struct settings_debug *debug = &service->settings->http.debug;
    const char *handlers[ROUTES_HANDLERS_MAX];
    size_t count = routes_list_handlers(handlers);

    if (!debug->address || !debug->has_prometheus)
        return 0;
    service->metrics = metrics_new(handlers, count);
    return service->metrics ? 0 : error_set_oom(err);
}

static int start_maintenance(struct service *service, struct error *err)
{
    service->maintenance.settings = &service->settings->storage;
    service->maintenance.store = service->store;
    service->maintenance.access_file = service->logins.access.rules;
    service->maintenance.pulls = service->pulls;
    service->maintenance.tokens = service->logins.access.tokens;
    if (!service->settings->storage.is_read_only)
        service->maintenance.growth =
            (struct growth_recording){.store = service->store, .page = service->page};
    return maintenance_start(&service->maintenance, err);
}

static int find_room(const void *directory, struct api_room *ret)
{
    struct statvfs room;

    if (statvfs(directory, &room) < 0)
        return -errno;
    *ret = (struct api_room){
        .free = (uint64_t)room.f_bavail * room.f_frsize,
        .total = (uint64_t)room.f_blocks * room.f_frsize,
    };
    return 0;
}

static void make_api(struct service *service)
{
    const struct settings *settings = service->settings;
    const struct settings_http *http = &settings->http;

    service->api = (struct api){
        .store = service->store,
        .health = service->health,
        .access = &service->logins.access,
        .workers = service->workers,
        .computers = service->computers,
        .readers = service->readers,
        .streams = service->streams,
        .realm = settings->auth.realm,
        .token_server = {settings->token.realm, settings->token.service,
                         settings->token.redirect_path},
        .host = http->host,
        .prefix = http->prefix,
        .has_relative_urls = http->has_relative_urls,
        .is_delete_enabled = settings->storage.is_delete_enabled,
        .is_read_only = settings->storage.is_read_only,
        .redirects = settings->storage.redirects,
        .page = service->page,
        .find_room = find_room,
        .find_room_object = settings->storage.root_directory,
        .catalog_max = settings->catalog_max,
        .tags_max = settings->tags_max,
        .report_damage = log_damage,
        .metrics = service->metrics,
        .pulls = service->pulls,
        .trusted_proxies = http->trusted_proxies,
        .trusted_proxy_count = http->trusted_proxy_count,
    };
    dispatch_init(&service->api, &service->handler);
    service->handler.settle = write_log;
    store_set_listener(service->store, report_event, &service->api);
    if (service->logins.access.rules)
        store_set_quotas(service->store, quotas_find, service->logins.access.rules);
}

/* Rules may need the time of a pull, and the page shows it. */
static bool are_pulls_recorded(const struct settings *settings)
{
    return settings->auth.access || (settings->has_page && !settings->storage.is_read_only);
}

static enum client_ca_demand demand_of(const struct settings_tls *tls)
{
    if (tls->client_ca_count == 0)
        return CLIENT_CA_NONE;
    return tls->is_client_optional ? CLIENT_CA_OPTIONAL : CLIENT_CA_REQUIRED;
}

static int start_health(struct service *service, struct error *err)
{
    const struct settings_health *health = &service->settings->health;

    return health_start(service->store,
                        &(struct health_options){.is_checked = health->is_enabled,
                                                 .interval_ms = health->interval_ms,
                                                 .threshold = health->threshold},
                        &service->health, err);
}

static int start_server(struct service *service, struct error *err)
{
    const struct settings_http *http = &service->settings->http;
    int r = copy_headers(service, err);

    if (r == 0)
        r = start_pools(service, err);
    if (r == 0)
        r = start_health(service, err);
    if (r == 0 && are_pulls_recorded(service->settings)) {
        service->pulls = pull_log_new();
        r = service->pulls ? 0 : error_set_oom(err);
    }
    if (r < 0)
        return r;
    if (service->settings->has_page)
        r = page_state_new(service->store, service->settings->storage.is_read_only, &service->page,
                           err);
    if (r < 0)
        return r;
    make_api(service);
    return server_start(
        &(struct server_options){
            .listeners = steal_listeners(&service->listeners),
            .limits = limits_of(&http->limits),
            .is_tls = http->tls.certificate,
            .is_tls13_only = http->tls.is_tls13_only,
            .demand = demand_of(&http->tls),
            .handler = &service->handler,
            .headers = service->headers,
            .header_count = http->headers.count,
        },
        &service->server, err);
}

static int start_debug_server(struct service *service, struct error *err)
{
    if (!service->settings->http.debug.address)
        return 0;
    service->debug = (struct debug){
        .store = service->store,
        .health = service->health,
        .server = service->server,
        .authenticator = service->logins.access.authenticator,
        .metrics = service->metrics,
        .maintenance = &service->maintenance.counters,
        .settings = &service->settings->http.debug,
        .limits = limits_of(&service->settings->http.limits),
        .listeners = steal_listeners(&service->debug_listeners),
    };
    return debug_start(&service->debug, &service->debug_server, err);
}

/* Must run before rights are dropped, because a port below 1024 may need a capability. */
static int open_listeners(struct service *service, struct error *err)
{
    const struct settings_http *http = &service->settings->http;
    int r = listen_open(http->net, http->address, &service->listeners, err);

    return r < 0 || !http->debug.address
               ? r
               : listen_open("tcp", http->debug.address, &service->debug_listeners, err);
}

static void observe_storage(void *object, enum storage_action action, uint64_t us)
{
    static const enum metrics_storage kinds[] = {
        [STORAGE_ACTION_GET] = METRICS_GET,       [STORAGE_ACTION_STAT] = METRICS_STAT,
        [STORAGE_ACTION_LIST] = METRICS_LIST,     [STORAGE_ACTION_PUT] = METRICS_PUT,
        [STORAGE_ACTION_DELETE] = METRICS_REMOVE,
    };

    metrics_count_storage(object, kinds[action], us);
}

/* Opens the store, and the keys that sign tokens, which are in the storage. */
static int open_data(struct service *service, struct error *err)
{
    struct storage *storage;
    int r = open_store_storage(service->settings, steal_ptr(&service->bucket), FILESYSTEM_SERVES,
                               &storage, err);

    if (r == 0 && service->metrics)
        r = storage_measure(storage, observe_storage, service->metrics, &storage, err);
    if (r == 0)
        r = store_open(storage, &service->store, err);
    return r < 0 ? r : logins_open_tokens(&service->logins, service->store, err);
}

static void log_cache(const char *text)
{
    log_warn("%s", text);
}

/* Other verbs read the bucket itself. */
static int open_cache(struct service *service, struct error *err)
{
    const struct settings_cache *cache = &service->settings->storage.cache;

    if (!cache->directory)
        return 0;
    service->confined.confinement.cache = cache->directory;
    return service->bucket->functions->use_cache(
        service->bucket,
        &(struct disk_cache_options){
            .directory = cache->directory, .max = cache->max, .report = log_cache},
        err);
}

static int confine_key_files(struct service *service, struct error *err)
{
    struct watched_table *file = service->logins.access.rules;
    CLEANUP(rules_unrefp) struct rules *rules = file ? access_file_get_rules(file) : NULL;

    return confined_add_keys(&service->confined, rules, err);
}

/*
 * Opens the files after the change of the user, so that the server can read all of them again
 * later. A bucket is opened last, because that starts a thread.
 */
static int open_all(struct service *service, struct error *err)
{
    const struct settings *settings = service->settings;
    bool is_bucket = settings->storage.s3.is_enabled;
    int r;

    maintenance_prepare();
    r = certificates_open(&settings->http.tls, &service->certificates, err);

    if (r == 0)
        r = logins_open(&service->logins, settings, err);
    if (r == 0)
        r = confine_key_files(service, err);
    if (r == 0)
        r = make_metrics(service, err);
    if (r == 0)
        r = open_store_prepare(settings, &service->bucket, err);
    if (r == 0)
        open_store_allow(settings, service->bucket, &service->confined.confinement);
    if (r == 0)
        r = open_cache(service, err);
    if (r == 0 && is_bucket)
        log_info("the keys of the bucket come from %s",
                 service->bucket->functions->get_origin(service->bucket));
    if (r == 0 && !is_bucket)
        r = open_data(service, err);
    if (r == 0)
        r = confined_finish(&service->confined, err);
    return r == 0 && is_bucket ? open_data(service, err) : r;
}

/*
 * The order matters: sockets are opened with all rights, files with fewer rights, and threads start
 * with the fewest.
 */
static int start_parts(struct service *service, struct error *err)
{
    int r = open_listeners(service, err);

    if (r == 0)
        r = confined_begin(&service->confined, service->settings, err);
    if (r == 0)
        r = open_all(service, err);
    if (r == 0)
        r = start_server(service, err);
    if (r == 0)
        r = start_debug_server(service, err);
    if (r == 0)
        r = logins_start(&service->logins, err);
    return r < 0 ? r : start_maintenance(service, err);
}

static int log_address(const struct settings *settings, struct error *err)
{
    CLEANUP_FREE char *place = open_store_describe(settings);

    if (!place)
        return error_set_oom(err);
    log_info("listening on %s%s, data in %s", settings->http.address,
             settings->http.tls.certificate ? ", tls" : "", place);
    return 0;
}

int service_start(struct service *service, const struct settings *settings,
                  const char *configuration, struct error *err)
{
    int r;

    service->settings = settings;
    r = open_log(&settings->log, err);
    if (r < 0)
        return r;
    log_start(settings, configuration);
    r = start_parts(service, err);
    if (r < 0)
        return r;
    return log_address(settings, err);
}

/* --- running and stopping -------------------------------------------------------------------- */

void service_reload(struct service *service)
{
    certificates_reload(service->certificates);
    logins_reload(&service->logins);
}

void service_tick(struct service *service)
{
    certificates_refresh(service->certificates);
    if (service->page)
        page_state_tick(service->page);
}

void service_stop(struct service *service)
{
    uint64_t drain_ms = service->settings->http.drain_timeout_ms;

    drain_ms = drain_ms ? drain_ms : DRAIN_DEFAULT_MS;
    if (service->store)
        storage_end_at(store_get_storage(service->store), monotonic_ms() + (int64_t)drain_ms);
    maintenance_end_run(&service->maintenance);
    server_stop(service->debug_server, 0); /* first, because it uses the other server */
    server_stop(service->server, (unsigned)drain_ms);
    maintenance_stop(&service->maintenance);
    worker_pool_stop(service->workers);
    worker_pool_stop(service->computers);
    worker_pool_stop(service->streams);
    worker_pool_stop(service->readers);
    logins_close(&service->logins);
    health_stop(service->health);
    pull_log_free(service->pulls);
    page_state_free(service->page);
    store_close(service->store);
    bucket_free(service->bucket);
    metrics_free(service->metrics);
    certificates_close(service->certificates);
    listeners_close(&service->listeners);
    listeners_close(&service->debug_listeners);
    free(service->headers);
    confined_done(&service->confined);
    log_close();
}
