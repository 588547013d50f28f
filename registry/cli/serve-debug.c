/*
 * What the debug server answers. Its paths are none of the API's, so they are compared as they come.
 */
#include "registry/cli/serve-debug.h"

#include <string.h>

#include "registry/cli/metrics.h"

static const struct debug *debug_of(const struct request *request)
{
    return request->context;
}

static void answer_health(struct request *request, struct response *response)
{
    struct error err = {0};

    if (store_check(debug_of(request)->store, &err) < 0) {
        response_fail(response, &err);
        response->status = 503;
        return;
    }
    response_set_body(response, 200, "application/json; charset=utf-8", strdup("{}"), 2);
}

static void answer_metrics(struct request *request, struct response *response)
{
    size_t size = 0;
    char *text = metrics_format(debug_of(request)->server, debug_of(request)->authenticator, &size);

    response_set_body(response, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

static void answer_not_found(struct request *request, struct response *response)
{
    static const char text[] = "404 page not found\n";

    (void)request;
    response_set_body(response, 404, "text/plain; charset=utf-8", strdup(text), sizeof(text) - 1);
}

static bool has_path(const struct request *request, const char *path)
{
    size_t size = strlen(path);

    return strncmp(request->uri, path, size) == 0 && (request->uri[size] == '\0' || request->uri[size] == '?');
}

static const struct endpoint *find_endpoint(struct request *request, struct response *response)
{
    static const struct endpoint health = {.name = "health", .answer = answer_health, .is_slow = true};
    static const struct endpoint metrics = {.name = "metrics", .answer = answer_metrics};
    static const struct endpoint not_found = {.name = "none", .answer = answer_not_found};
    const struct settings_debug *settings = debug_of(request)->settings;

    (void)response;
    if (has_path(request, "/debug/health"))
        return &health;
    return settings->has_prometheus && has_path(request, settings->prometheus_path) ? &metrics : &not_found;
}

int debug_start(struct debug *debug, struct server **ret, struct error *err)
{
    const struct server_options options = {
        .net = "tcp",
        .address = debug->settings->address,
        .limits = debug->limits,
        .listener = debug->listener,
        .find_endpoint = find_endpoint,
        .context = debug,
    };

    return server_start(&options, ret, err);
}
