/*
 * Writes finished requests, events and failed logins to the log and the metrics. The fields have
 * registry:2's names: http.request.*, http.response.*, auth.user.name, vars.*. Fields without a
 * value are omitted.
 */
#include "registry/api/report.h"

#include <stdio.h>
#include <string.h>

#include "common/decimal.h"
#include "registry/api/api.h"
#include "registry/api/page-state.h"
#include "registry/api/routes.h"
#include "registry/runtime/log.h"
#include "registry/runtime/metrics.h"

enum { ADDRESS_SIZE = REQUEST_ADDRESS_MAX + 3 + DECIMAL_MAX, USER_SIZE = 256, URI_SIZE = 2048 };

/* --- requests --------------------------------------------------------------------------------- */

/*
 * Formats the client's address as registry:2 does: with its port, or without one if a proxy named
 * the client.
 */
static const char *format_address(const struct call *call, const struct request *request,
                                  char ret_text[ADDRESS_SIZE])
{
    char *at = ret_text;
    bool is_ipv6;
    size_t size;

    if (call && call->path == CLIENT_FORWARDED)
        return call->address;
    if (!*request->address)
        return NULL;
    is_ipv6 = strchr(request->address, ':');
    size = strlen(request->address);
    if (is_ipv6)
        *at++ = '[';
    memcpy(at, request->address, size);
    at += size;
    if (is_ipv6)
        *at++ = ']';
    *at++ = ':';
    at += decimal_format(request->port, 1, at);
    *at = '\0';
    return ret_text;
}

static const char *find_reference(const struct call *call, char digest[DIGEST_TEXT_SIZE])
{
    if (call->route.kind == ROUTE_MANIFEST_TAG)
        return call->route.tag;
    if (call->route.kind != ROUTE_MANIFEST_DIGEST)
        return NULL;
    digest_format(&call->route.digest, digest);
    return digest;
}

static const char *find_digest(const struct call *call, char digest[DIGEST_TEXT_SIZE])
{
    if (call->route.kind != ROUTE_BLOB && call->route.kind != ROUTE_REFERRERS)
        return NULL;
    digest_format(&call->route.digest, digest);
    return digest;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

/* Whether a pair of a query, such as "n=5", has a parameter of the API that holds no secret. */
static bool is_public(const char *pair)
{
    static const char *const names[] = {
        "account=", "artifactType=", "client_id=", "digest=", "digest-algorithm=", "from=",
        "last=", "mount=", "n=", "offline_token=", "order=", "path=", "platform=", "scope=",
        "search=", "service=", "tag=",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strncmp(pair, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/*
 * Replaces each pair of the query by "*" unless its parameter is one of the API's. Clients put
 * tokens and passwords there, although no parameter takes one.
 */
static const char *format_uri(const struct request *request, char ret_text[URI_SIZE])
{
    const char *target = request->head->target; /* NULL if the head is malformed */
    const char *pair = target ? strchr(target, '?') : NULL;
    size_t used;

    if (!pair)
        return target;
    used = (size_t)snprintf(ret_text, URI_SIZE, "%.*s", (int)(pair - target), target);
    while (used < URI_SIZE && *pair) {
        size_t size = strcspn(++pair, "&");
        bool is_shown = size == 0 || is_public(pair);

        used += (size_t)snprintf(ret_text + used, URI_SIZE - used, "%c%.*s", pair[-1],
                                 is_shown ? (int)size : 1, is_shown ? pair : "*");
        pair += size;
    }
    return ret_text;
}

static void log_end(const struct call *call, const struct request *request,
                    const struct http_end *end)
{
    char address[ADDRESS_SIZE], reference[DIGEST_TEXT_SIZE], digest[DIGEST_TEXT_SIZE],
        uri[URI_SIZE];
    const struct log_field fields[] = {
        log_text("auth.user.name", call ? text_or_null(call->principal.name) : NULL),
        log_text("err.detail", end->failure ? end->failure : end->cut),
        log_text("http.request.host", request_get_header(request, "Host")),
        log_text("http.request.method", request->head->method),
        log_text("http.request.remoteaddr", format_address(call, request, address)),
        log_text("http.request.uri", format_uri(request, uri)),
        log_text("http.request.useragent", request_get_header(request, "User-Agent")),
        log_text("http.response.contenttype", end->content_type),
        log_duration("http.response.duration", end->duration_us),
        log_integer("http.response.status", end->status),
        log_integer("http.response.written", (int64_t)end->sent),
        log_text("vars.digest", call ? find_digest(call, digest) : NULL),
        log_text("vars.name", call ? text_or_null(call->route.name) : NULL),
        log_text("vars.reference", call ? find_reference(call, reference) : NULL),
        log_text("vars.uuid", call ? text_or_null(call->route.upload) : NULL),
    };

    if (end->failure)
        log_write(LOG_LEVEL_ERROR, fields, ARRAY_SIZE(fields), "response completed with error");
    else if (end->cut)
        log_request(fields, ARRAY_SIZE(fields), "connection ended by this server");
    else
        log_request(fields, ARRAY_SIZE(fields),
                    end->status ? "response completed" : "client went away");
}

void report_request(struct api *api, const struct call *call, const struct request *request,
                    const struct http_end *end)
{
    size_t handler = call ? api->handlers[call->route.kind] : 0;

    if (api->metrics && !call)
        metrics_begin(api->metrics, handler);
    if (api->metrics)
        metrics_end(api->metrics, handler, &(struct metrics_request){
            .method = request->head->method,
            .status = end->status,
            .was_cut = end->cut,
            .has_failed = end->failure,
            .duration_us = end->duration_us,
            .received = request->received,
            .sent = end->sent,
        });
    log_end(call, request, end);
}

/* --- events ----------------------------------------------------------------------------------- */

/* By enum event_kind. */
static const struct {
    const char *text;
    enum metrics_action action;
    enum metrics_object object;
} kinds[] = {
    [EVENT_PUSH_BLOB] = {"blob pushed", METRICS_PUSH, METRICS_BLOB},
    [EVENT_PUSH_MANIFEST] = {"manifest pushed", METRICS_PUSH, METRICS_MANIFEST},
    [EVENT_PULL_BLOB] = {"blob pulled", METRICS_PULL, METRICS_BLOB},
    [EVENT_PULL_MANIFEST] = {"manifest pulled", METRICS_PULL, METRICS_MANIFEST},
    [EVENT_MOUNT_BLOB] = {"blob mounted", METRICS_MOUNT, METRICS_BLOB},
    [EVENT_DELETE_BLOB] = {"blob deleted", METRICS_DELETE, METRICS_BLOB},
    [EVENT_DELETE_MANIFEST] = {"manifest deleted", METRICS_DELETE, METRICS_MANIFEST},
    [EVENT_DELETE_TAG] = {"tag deleted", METRICS_DELETE, METRICS_TAG},
};

/* Pulls are frequent, and each request has a line of its own. */
static enum log_level level_of(enum event_kind kind)
{
    return kind == EVENT_PULL_BLOB || kind == EVENT_PULL_MANIFEST ? LOG_LEVEL_DEBUG
                                                                  : LOG_LEVEL_INFO;
}

static void log_event(const struct event *event)
{
    char digest[DIGEST_TEXT_SIZE], size[24];
    const bool has_size = event->size > 0;
    const struct log_field fields[] = {
        log_text("auth.user.name", event->actor),
        log_text("event.digest", event->digest ? digest : NULL),
        log_text("event.from", event->source),
        log_text("event.mediatype", event->media_type),
        log_text("event.repository", event->repository),
        log_text("event.size", has_size ? size : NULL),
        log_text("event.tag", event->tag),
    };

    if (event->digest)
        digest_format(event->digest, digest);
    snprintf(size, sizeof(size), "%ju", (uintmax_t)event->size);
    log_write(level_of(event->kind), fields, ARRAY_SIZE(fields), "%s", kinds[event->kind].text);
}

void report_event(void *object, const struct event *event)
{
    const struct api *api = object;

    if (api->page)
        page_state_note(api->page, event);
    if (api->metrics)
        metrics_count_event(api->metrics, kinds[event->kind].action, kinds[event->kind].object);
    if (log_is_on(level_of(event->kind)))
        log_event(event);
}

/* --- logins ----------------------------------------------------------------------------------- */

void report_failed_login(const struct call *call, const struct secbuf *user)
{
    char address[ADDRESS_SIZE], name[USER_SIZE], uri[URI_SIZE];
    const struct log_field fields[] = {
        log_text("auth.user.name", name),
        log_text("http.request.method", call->method_name),
        log_text("http.request.remoteaddr", format_address(call, call->request, address)),
        log_text("http.request.uri", format_uri(call->request, uri)),
        log_text("http.request.useragent", call_get_header(call, "User-Agent")),
    };

    if (call->api->page)
        failed_logins_add(call->api->page->failed_logins, user->data, user->size, call->address);
    snprintf(name, sizeof(name), "%.*s", (int)user->size, (const char *)user->data);
    log_write(LOG_LEVEL_WARN, fields, ARRAY_SIZE(fields),
              "login failed: wrong password, or no such user");
}
