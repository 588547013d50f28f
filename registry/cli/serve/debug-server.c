/*
 * Answers the debug server's requests. Their paths are not part of the API and are compared without
 * decoding.
 */
#include "registry/cli/serve/debug-server.h"

#include <string.h>

#include "registry/api/refusal.h"
#include "registry/runtime/metrics.h"

static void answer_health(const struct debug *debug, struct response *response)
{
    struct error err = {0};

    if (health_get(debug->health, &err) < 0) {
        response_fail(response, &err);
        response->status = 503;
        return;
    }
    response_set_body(response, 200, "application/json; charset=utf-8", strdup("{}"), 2);
}

/* Room for all values of gather_values(). */
enum { VALUES_MAX = 36 };

static struct metrics_value counter(const char *name, const char *help, uint64_t value)
{
    return (struct metrics_value){.name = name, .help = help, .value = value};
}

/* Has registry:2's name, but counts reads of links and manifests. */
static struct metrics_value cache_counter(const char *label, uint64_t value)
{
    return (struct metrics_value){
        .name = "registry_storage_cache_total",
        .label = label,
        .value = value,
        .help = "Reads of links and manifests, which a cache in memory may answer."};
}

static size_t gather_maintenance(const struct maintenance_counters *counters,
                                 struct metrics_value *values, size_t count)
{
    const struct metrics_value all[] = {
        counter("registry_collect_runs_total", "Scheduled garbage collections that ended.",
                counters->runs),
        counter("registry_collect_failures_total", "Scheduled garbage collections that failed.",
                counters->failures),
        counter("registry_collect_removed_tags_total", "Tags that retention removed.",
                counters->tags),
        counter("registry_collect_removed_blobs_total", "Blobs that scheduled collections removed.",
                counters->blobs),
        counter("registry_collect_freed_bytes_total", "Bytes of these blobs.", counters->bytes),
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        values[count++] = all[i];
    return count;
}

static size_t gather_bucket(struct store *store, struct metrics_value *values, size_t count)
{
    struct storage_request_counters counters;

    if (!store_is_remote(store))
        return count;
    store_count_requests(store, &counters);
    const struct metrics_value all[] = {
        counter("registry_bucket_requests_total", "Requests to the store, with the retries.",
                counters.requests),
        counter("registry_bucket_retries_total", "Requests that were sent again.",
                counters.retries),
        counter("registry_bucket_failures_total",
                "Requests without an answer, or with one of 5xx, 408 or 429.", counters.failures),
        counter("registry_bucket_refused_total",
                "Requests that were not sent, because the store does not answer.",
                counters.refused),
        counter("registry_bucket_key_renewals_total", "Keys that came from an endpoint.",
                counters.renewals),
        counter("registry_bucket_key_failures_total", "Times that no keys came from the endpoint.",
                counters.renewal_failures),
        {.name = "registry_bucket_upload_bytes",
         .help = "Bytes of memory that uploads have for parts.",
         .is_gauge = true,
         .value = counters.upload_bytes},
        {.name = "registry_bucket_down",
         .help = "1 while the store does not answer and requests fail at once.",
         .is_gauge = true,
         .value = counters.is_down},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        values[count++] = all[i];
    return count;
}

static size_t gather_copies(struct store *store, struct metrics_value *values, size_t count)
{
    struct storage_copy_counters counters;

    store_count_copies(store, &counters);
    if (!counters.is_enabled)
        return count;
    const struct metrics_value all[] = {
        counter("registry_blob_cache_hits_total", "Downloads of blobs from the disk cache.",
                counters.hits),
        counter("registry_blob_cache_misses_total", "Downloads of blobs from the bucket.",
                counters.misses),
        counter("registry_blob_cache_fills_total", "Blobs that were added to the disk cache.",
                counters.fills),
        counter("registry_blob_cache_evictions_total",
                "Blobs that were removed from the disk cache to make room.", counters.evictions),
        counter("registry_blob_cache_damaged_total",
                "Blobs that were removed from the disk cache because they were damaged.",
                counters.damaged),
        {.name = "registry_blob_cache_bytes",
         .help = "Bytes that the disk cache takes, with downloads that are being written.",
         .is_gauge = true,
         .value = counters.bytes},
        {.name = "registry_blob_cache_ready",
         .help = "1 when the disk cache has been read and is used.",
         .is_gauge = true,
         .value = counters.is_ready},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        values[count++] = all[i];
    return count;
}

static size_t gather_values(const struct debug *debug, struct metrics_value values[VALUES_MAX])
{
    struct connections_counters connections;
    struct authenticator_counters logins;
    uint64_t hits, misses;
    size_t count = 0;

    server_count_connections(debug->server, &connections);
    store_count_cache(debug->store, &hits, &misses);
    values[count++] = (struct metrics_value){.name = "registry_http_connections",
                                             .help = "Connections that are open.",
                                             .is_gauge = true,
                                             .value = connections.open};
    values[count++] = counter("registry_http_connections_refused_total",
                              "Connections beyond http.limits.peraddress.", connections.refused);
    values[count++] =
        counter("registry_http_connections_ended_total",
                "Connections ended by http.limits or http.timeouts.", connections.ended);
    values[count++] = cache_counter("type=\"Hit\"", hits);
    values[count++] = cache_counter("type=\"Miss\"", misses);
    values[count++] = cache_counter("type=\"Request\"", hits + misses);
    count = gather_maintenance(debug->maintenance, values, count);
    count = gather_bucket(debug->store, values, count);
    count = gather_copies(debug->store, values, count);
    if (!debug->authenticator)
        return count;
    authenticator_get_counters(debug->authenticator, &logins);
    values[count++] = counter("registry_auth_granted_total", "Correct passwords.", logins.granted);
    values[count++] = counter("registry_auth_denied_total", "Wrong passwords.", logins.denied);
    values[count++] = counter("registry_auth_remembered_total",
                              "Correct passwords that needed no bcrypt.", logins.cache_hits);
    values[count++] = counter("registry_auth_bcrypt_total", "Runs of bcrypt.", logins.bcrypts);
    return count;
}

static void answer_metrics(const struct debug *debug, struct response *response)
{
    struct metrics_value values[VALUES_MAX];
    size_t size = 0, count = gather_values(debug, values);
    char *text = metrics_format(debug->metrics, values, count, &size);

    response_set_body(response, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

static void answer_text(struct response *response, unsigned status, const char *text)
{
    response_set_body(response, status, "text/plain; charset=utf-8", strdup(text), strlen(text));
}

static bool has_path(const struct request *request, const char *path)
{
    const char *target = request->head->target;
    size_t size = strlen(path);

    return strncmp(target, path, size) == 0 && (target[size] == '\0' || target[size] == '?');
}

static enum http_result begin(void *context, struct request *request, struct response *response)
{
    const struct debug *debug = context;

    if (has_path(request, "/debug/health"))
        answer_health(debug, response);
    else if (debug->settings->has_prometheus && has_path(request, debug->settings->prometheus_path))
        answer_metrics(debug, response);
    else
        answer_text(response, 404, "404 page not found\n");
    return HTTP_DONE;
}

/* Never called: begin() answers every request. */
static enum http_result receive(void *context, struct request *request, const void *data,
                                size_t size, struct response *response)
{
    (void)context, (void)request, (void)data, (void)size, (void)response;
    return HTTP_DONE;
}

static enum http_result answer(void *context, struct request *request, struct response *response)
{
    (void)context, (void)request, (void)response;
    return HTTP_DONE;
}

static void refuse(void *context, const struct request *request, unsigned status, const char *why,
                   struct response *response)
{
    (void)context, (void)request;
    answer_text(response, status, why);
}

static void end(void *context, struct request *request, const struct http_end *how)
{
    (void)context, (void)request, (void)how;
}

int debug_start(struct debug *debug, struct server **ret, struct error *err)
{
    debug->handler = (struct http_handler){
        .context = debug,
        .begin = begin,
        .receive = receive,
        .answer = answer,
        .refuse = refuse,
        .end = end,
    };
    return server_start(&(struct server_options){
        .limits = debug->limits,
        .listeners = debug->listeners,
        .handler = &debug->handler,
    }, ret, err);
}
