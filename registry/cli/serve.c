/*
 * `registryd serve`: settings, certificate, users, storage and server are put together, and then signals are
 * waited for: SIGTERM and SIGINT end it, SIGHUP has certificate and users read again.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "registry/api/api.h"
#include "registry/api/dispatch.h"
#include "registry/config/settings.h"
#include "registry/confine/confine.h"
#include "registry/cli/serve-debug.h"
#include "registry/http/listen.h"
#include "registry/runtime/log.h"
#include "registry/cli/metrics.h"
#include "registry/cli/serve-tls.h"
#include "registry/cli/verbs.h"

enum { TICK_S = 5, DRAIN_DEFAULT_MS = 10000, DESCRIPTORS_WANTED = 65536, LARGE_BLOCK = 128 << 10,
       WORKERS = 16 /* most wait for the disk */, QUEUE = 8192, CHECKER_NICENESS = 5 };

struct service {
    const char *configuration; /* its path; NULL: there is no file */
    struct settings *settings;
    struct store *store;
    struct authenticator *authenticator;
    struct guess_limit *guess_limit;
    struct serve_tls *tls;
    struct server_header *headers;
    struct access access;
    struct worker_pool *workers, *checkers;
    struct api api;
    struct http_handler handler;
    struct debug debug;
    struct server *server, *debug_server;
    int listener, debug_listener; /* until they are the servers' */
    struct confinement confinement;
    const char **confined_files;
    time_t next_purge;
};

/* --- the log of requests -------------------------------------------------------------------- */

static void report_request(const struct call_report *report)
{
    const struct call *call = report->call;
    const struct request *request = report->request;
    const struct http_end *end = report->end;
    const char *failure = end->failure ? end->failure : end->cut;
    char address[REQUEST_ADDRESS_MAX + 16];
    const struct log_field fields[] = {
        log_text("auth.user.name", call && *call->principal.name ? call->principal.name : NULL),
        log_text("err.detail", failure),
        log_text("http.request.host", report->host),
        log_text("http.request.method", request->head->method),
        log_text("http.request.remoteaddr", *request->address ? address : NULL),
        log_text("http.request.uri", request->head->target),
        log_text("http.request.useragent", report->user_agent),
        log_text("http.response.contenttype", end->content_type),
        log_duration("http.response.duration", end->duration_us),
        log_integer("http.response.status", end->status),
        log_integer("http.response.written", (int64_t)end->sent),
    };

    snprintf(address, sizeof(address), strchr(request->address, ':') ? "[%s]:%u" : "%s:%u", request->address, request->port);
    metrics_count(report);
    if (end->failure)
        log_write(LOG_LEVEL_ERROR, fields, ARRAY_SIZE(fields), "response completed with error");
    else if (end->cut)
        log_request(fields, ARRAY_SIZE(fields), "connection ended by this server");
    else
        log_request(fields, ARRAY_SIZE(fields), end->status ? "response completed" : "client went away");
}

/* --- users --------------------------------------------------------------------------------------- */

static void log_users(void *context, const char *warning)
{
    (void)context;
    log_warn("%s", warning);
}

static int open_users(struct service *service, struct error *err)
{
    const struct settings_auth *auth = &service->settings->auth;

    if (!auth->is_htpasswd) {
        log_warn("no authentication is configured: everybody who can connect may read and write");
        return 0;
    }
    if (auth->guesses > 0) {
        service->guess_limit = guess_limit_new(auth->guesses);
        if (!service->guess_limit)
            return error_set_oom(err);
    }
    return authenticator_open(&(struct authenticator_options){.path = auth->path, .warn = log_users},
                              &service->authenticator, err);
}

/* --- uploads that nobody finished ---------------------------------------------------------------- */

static void log_purge(void *object, const char *name, const char *id)
{
    const struct service *service = object;

    log_info("%s upload %s of %s", service->settings->storage.upload_purging.is_dry_run ? "would purge" : "purging", id,
             name);
}

static void purge_uploads(struct service *service)
{
    const struct settings_upload_purging *purging = &service->settings->storage.upload_purging;
    struct error err = {0};

    if (!purging->is_enabled || service->settings->storage.is_read_only || time(NULL) < service->next_purge)
        return;
    service->next_purge = time(NULL) + (time_t)(purging->interval_ms / 1000);
    if (store_purge_uploads(service->store, purging->age_ms, purging->is_dry_run, log_purge, service, &err) < 0)
        log_error("old uploads could not be purged: %s", err.text);
}

/* --- starting ------------------------------------------------------------------------------------ */

static int copy_headers(struct service *service, struct error *err)
{
    const struct settings_pairs *pairs = &service->settings->http.headers;

    service->headers = calloc(pairs->count + 1, sizeof(*service->headers));
    if (!service->headers)
        return error_set_oom(err);
    for (size_t i = 0; i < pairs->count; i++)
        service->headers[i] = (struct server_header){.name = pairs->items[i].name, .value = pairs->items[i].value};
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

static int steal_listener(int *fd)
{
    int stolen = *fd;

    *fd = 0;
    return stolen;
}

static void log_damage(const struct digest *canonical)
{
    log_error("the blob sha256:%s is damaged, and is not sent whole: remove its file and push it again", canonical->hex);
}

/* One pool for what waits for the disk, and one for bcrypt, which gives way to those who are already known. */
static int start_pools(struct service *service, struct error *err)
{
    int r = worker_pool_start("worker", WORKERS, QUEUE, 0, &service->workers, err);

    if (r == 0 && service->authenticator)
        r = worker_pool_start("checker", server_count_threads(), QUEUE, CHECKER_NICENESS, &service->checkers, err);
    return r;
}

static void make_api(struct service *service)
{
    const struct settings *settings = service->settings;
    const struct settings_http *http = &settings->http;

    service->access = (struct access){.authenticator = service->authenticator, .guess_limit = service->guess_limit};
    service->api = (struct api){
        .store = service->store,
        .access = &service->access,
        .workers = service->workers,
        .checkers = service->checkers,
        .realm = settings->auth.realm,
        .host = http->host,
        .prefix = http->prefix,
        .has_relative_urls = http->has_relative_urls,
        .is_delete_enabled = settings->storage.is_delete_enabled,
        .is_read_only = settings->storage.is_read_only,
        .catalog_max = settings->catalog_max,
        .tags_max = settings->tags_max,
        .report_damage = log_damage,
        .report = report_request,
    };
    dispatch_init(&service->api, &service->handler);
}

static int start_server(struct service *service, struct error *err)
{
    const struct settings_http *http = &service->settings->http;
    int r = copy_headers(service, err);

    if (r == 0)
        r = start_pools(service, err);
    if (r < 0)
        return r;
    make_api(service);
    return server_start(&(struct server_options){
        .net = http->net,
        .address = http->address,
        .listener = steal_listener(&service->listener),
        .limits = limits_of(&http->limits),
        .is_tls = http->tls.certificate,
        .is_tls13_only = http->tls.is_tls13_only,
        .demands_client = http->tls.client_ca_count > 0,
        .is_client_optional = http->tls.is_client_optional,
        .handler = &service->handler,
        .headers = service->headers,
        .header_count = http->headers.count,
    }, &service->server, err);
}

static int start_debug_server(struct service *service, struct error *err)
{
    if (!service->settings->http.debug.address)
        return 0;
    service->debug = (struct debug){
        .store = service->store,
        .server = service->server,
        .authenticator = service->authenticator,
        .settings = &service->settings->http.debug,
        .limits = limits_of(&service->settings->http.limits),
        .listener = steal_listener(&service->debug_listener),
    };
    return debug_start(&service->debug, &service->debug_server, err);
}

/* Before anything is given up, for a port below 1024 may take a capability. */
static int open_listeners(struct service *service, struct error *err)
{
    const struct settings_http *http = &service->settings->http;
    unsigned port;
    int fd = listen_open(http->net, http->address, &port, err);

    if (fd < 0)
        return fd;
    service->listener = fd;
    if (!http->debug.address)
        return 0;
    fd = listen_open("tcp", http->debug.address, &port, err);
    if (fd < 0)
        return fd;
    service->debug_listener = fd;
    return 0;
}

/* With what is to be reached later. */
static int begin_confinement(struct service *service, struct error *err)
{
    const struct settings *settings = service->settings;
    const struct settings_tls *tls = &settings->http.tls;
    const char *const files[] = {settings->auth.path, tls->certificate, tls->key};

    if (!settings->confinement.is_enabled)
        return 0;
    service->confined_files = calloc(ARRAY_SIZE(files) + tls->client_ca_count, sizeof(*files));
    if (!service->confined_files)
        return error_set_oom(err);
    memcpy(service->confined_files, files, sizeof(files));
    for (size_t i = 0; i < tls->client_ca_count; i++)
        service->confined_files[ARRAY_SIZE(files) + i] = tls->client_cas[i];
    service->confinement = (struct confinement){
        .user = settings->confinement.user,
        .storage = settings->storage.root_directory,
        .files = service->confined_files,
        .file_count = ARRAY_SIZE(files) + tls->client_ca_count,
    };
    return confine_identity(&service->confinement, err);
}

/* What is read here can be read again later: it is done with no more rights than are left then. */
static int open_all(struct service *service, struct error *err)
{
    const struct settings *settings = service->settings;
    int r = serve_tls_open(&settings->http.tls, &service->tls, err);

    if (r == 0)
        r = open_users(service, err);
    if (r == 0)
        r = store_open(settings->storage.root_directory, STORE_SERVES, &service->store, err);
    if (r == 0 && settings->confinement.is_enabled)
        r = confine_rest(&service->confinement, err);
    return r;
}

static int start(struct service *service, struct error *err)
{
    const struct settings *settings = service->settings;
    int r = log_open(settings, err);

    if (r < 0)
        return r;
    if (service->configuration)
        log_info("configuration: %s", service->configuration);
    for (size_t i = 0; i < settings->warning_count; i++)
        log_warn("%s", settings->warnings[i]);
    r = open_listeners(service, err);
    if (r == 0)
        r = begin_confinement(service, err);
    if (r == 0)
        r = open_all(service, err);
    if (r == 0)
        r = start_server(service, err);
    if (r == 0)
        r = start_debug_server(service, err);
    if (r == 0)
        log_info("listening on %s%s, data in %s", settings->http.address, settings->http.tls.certificate ? ", tls" : "",
                 settings->storage.root_directory);
    return r;
}

static void stop(struct service *service)
{
    uint64_t drain_ms = service->settings ? service->settings->http.drain_timeout_ms : 0;

    server_stop(service->debug_server, 0); /* first: it asks the other */
    if (service->server)
        server_stop(service->server, drain_ms ? (unsigned)drain_ms : DRAIN_DEFAULT_MS);
    worker_pool_stop(service->workers);
    worker_pool_stop(service->checkers);
    authenticator_close(service->authenticator);
    guess_limit_free(service->guess_limit);
    store_close(service->store);
    serve_tls_close(service->tls);
    if (service->listener > 0)
        close(service->listener);
    if (service->debug_listener > 0)
        close(service->debug_listener);
    free(service->headers);
    free(service->confined_files);
    log_close();
    settings_free(service->settings);
}

/* --- running ------------------------------------------------------------------------------------- */

static void reload(struct service *service)
{
    struct error err = {0};

    serve_tls_reload(service->tls);
    if (service->authenticator && authenticator_reload(service->authenticator, &err) < 0)
        log_error("the users from before stay in force: %s", err.text);
}

/* Each connection is a descriptor; the usual 1024 are kept low for programs that use select(). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Large blocks, such as manifests and what is made of them, go back to the system when they are freed. Without a fixed
 * threshold glibc would, after the first one, keep them in each thread's own heap. musl, which has no mallopt(), always
 * returns blocks of 128 KiB and more.
 */
static void bound_memory(void)
{
#if HAVE_MALLOPT
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
    /* Before any thread starts, so that no thread but this one takes them. */
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

/* Until one of the signals that end it. */
static void run(struct service *service, const sigset_t *signals)
{
    const struct timespec tick = {.tv_sec = TICK_S};

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &tick);

        if (signal == SIGTERM || signal == SIGINT) {
            log_info("stopping");
            return;
        }
        if (signal == SIGHUP)
            reload(service);
        else
            serve_tls_refresh(service->tls);
        purge_uploads(service);
    }
}

static int run_serve(int argc, char **argv)
{
    struct service service = {0};
    struct error err = {0};
    sigset_t signals;
    int r;

    if (argc > 2) {
        fprintf(stderr, "registryd: serve takes one configuration file at most\n");
        return EXIT_FAILURE;
    }
    raise_descriptor_limit();
    bound_memory();
    block_signals(&signals);
    service.configuration = settings_choose_path(argc > 1 ? argv[1] : NULL, environ);
    r = settings_load(service.configuration, environ, &service.settings, &err);
    if (r == 0)
        r = start(&service, &err);
    if (r == 0)
        run(&service, &signals);
    else
        fprintf(stderr, "registryd: %s\n", err.text);
    stop(&service);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct verb verb_serve = {
    .name = "serve",
    .function = run_serve,
    .help = "Usage: registryd serve [CONFIG]\n"
            "\n"
            "Serves until SIGTERM or SIGINT. SIGHUP reloads the certificate and the users.\n"
            "Takes no options: settings come from CONFIG, a YAML file, and from variables\n"
            "such as REGISTRY_HTTP_ADDR, which have precedence. registryd(1) says which\n"
            "file is read without CONFIG; the log names it.\n"
            "\n"
            "  --help    this text\n"
            "\n"
            "Examples:\n"
            "  registryd serve /srv/registry/config.yml\n"
            "  REGISTRY_HTTP_ADDR=127.0.0.1:5000 registryd serve\n"
            "\n"
            "Exit status: 0 after SIGTERM or SIGINT; 1 if it cannot start: standard error\n"
            "says why.\n",
};
