/* Processes a request: finds its route, checks whether it is permitted, and calls its endpoint. */
#include "registry/api/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/admit.h"
#include "registry/api/answer.h"
#include "registry/api/body.h"
#include "registry/api/credentials.h"
#include "registry/api/fairness.h"
#include "registry/api/report.h"
#include "registry/api/routes.h"
#include "registry/runtime/metrics.h"

/* How long a request waits for another one that holds its upload session. */
enum { PATIENCE_MS = 1000, FIRST_DELAY_MS = 10 };

static struct call *call_of(const struct request *request)
{
    return request->state;
}

enum http_result call_move(struct call *call)
{
    call->request->pool = call->api->workers;
    call->request->owner = *fairness_get_owner(call);
    call->request->delay_ms = 0;
    return HTTP_ON_WORKER;
}

enum http_result call_wait(struct call *call,
                           bool (*notify)(void *object, void (*ready)(void *object),
                                          void *ready_object),
                           void *object)
{
    call_move(call);
    call->request->notify = notify;
    call->request->notify_object = object;
    return HTTP_LATER;
}

enum http_result call_move_to_computer(struct call *call)
{
    call_move(call);
    call->request->pool = call->api->readers ? call->api->readers : call->api->computers;
    return HTTP_ON_WORKER;
}

enum http_result call_move_to_signer(struct call *call)
{
    call_move(call);
    call->request->pool = call->api->computers;
    return HTTP_ON_WORKER;
}

enum http_result call_move_to_reader(struct call *call)
{
    return store_is_remote(call->api->store) ? call_move(call) : call_move_to_computer(call);
}

void call_stream(struct call *call)
{
    call_move(call);
    call->request->pool = call->api->streams;
}

bool call_is_on_computer(const struct call *call)
{
    const struct worker_pool *pool = call->request->pool;

    return call_is_on_worker(call) &&
           (pool == call->api->computers || (pool && pool == call->api->readers));
}

bool call_may_park(const struct call *call)
{
    return call->parked_ms < PATIENCE_MS;
}

enum http_result call_park(struct call *call)
{
    unsigned left_ms = PATIENCE_MS - call->parked_ms;
    unsigned delay_ms = call->parked_ms ? call->parked_ms : FIRST_DELAY_MS;

    call_move(call);
    call->request->delay_ms = delay_ms < left_ms ? delay_ms : left_ms;
    call->parked_ms += call->request->delay_ms;
    return HTTP_ON_WORKER;
}

/* --- the head -------------------------------------------------------------------------------- */

static void parse_target(struct call *call)
{
    const char *prefix = call->api->prefix, *path = call->request->head->target;
    size_t prefix_size = prefix ? strlen(prefix) : 0, size = strcspn(path, "?");

    /* The prefix may end with a slash. The slash belongs to the path. */
    while (prefix_size > 0 && prefix[prefix_size - 1] == '/')
        prefix_size--;
    call->uri = path;
    call->query = path[size] ? path + size + 1 : path + size;
    if (size >= prefix_size && memcmp(path, prefix ? prefix : "", prefix_size) == 0 &&
        (size == prefix_size || path[prefix_size] == '/'))
        route_parse_escaped(path + prefix_size, size - prefix_size, &call->route);
    else
        call->route.kind = ROUTE_NONE;
    /* Public routes also work without the prefix, for probes of load balancers. */
    if (call->route.kind == ROUTE_NONE) {
        route_parse_escaped(path, size, &call->route);
        call->is_outside_prefix = prefix_size > 0;
        if (!routes_is_public(call->route.kind) || call->route.kind == ROUTE_BASE_REDIRECT)
            call->route = (struct route){.kind = ROUTE_NONE};
    }
    if (route_is_of_page(call->route.kind) && !call->api->page)
        call->route = (struct route){.kind = ROUTE_NONE};
    if ((call->route.kind == ROUTE_TOKEN || call->route.kind == ROUTE_TOKEN_REVOKE) &&
        !call->api->access->tokens)
        call->route = (struct route){.kind = ROUTE_NONE};
}

static struct call *call_new(struct api *api, struct request *request)
{
    struct call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->api = api;
    call->request = request;
    call->method_name = request->head->method;
    call->method = route_method_parse(request->head->method);
    parse_target(call);
    call->operation = routes_find(call->route.kind, call->method);
    call->path =
        client_address_find(request, api->trusted_proxies, api->trusted_proxy_count, call->address);
    if (api->metrics)
        metrics_begin(api->metrics, api->handlers[call->route.kind]);
    request->state = call;
    return call;
}

/*
 * registry:2 answers an unknown method or path in plain text, because Go's net/http does. The
 * specification defines one form of errors, which is used here.
 */

static void refuse_method(const struct call *call, struct response *response)
{
    char allow[ROUTES_ALLOW_SIZE];

    routes_format_allow(call->route.kind, allow);
    response_refuse(response, ERROR_CODE_UNSUPPORTED, NULL);
    response_add_header(response, "Allow", "%s", allow);
}

static void refuse_path(struct response *response)
{
    response_refuse(response, ERROR_CODE_UNSUPPORTED, "\"there is nothing at this path\"");
    response->status = 404;
}

/* The route has no operation: a part of the path is invalid, or the method is not supported. */
static void refuse_operation(const struct call *call, struct response *response)
{
    switch (call->route.kind) {
    case ROUTE_MANIFEST_BAD_DIGEST:
    case ROUTE_BLOB_BAD_DIGEST:
    case ROUTE_REFERRERS_BAD_DIGEST:
        response_refuse(response, ERROR_CODE_DIGEST_INVALID, "{}");
        break;
    case ROUTE_UPLOAD_BAD:
        response_refuse(response, ERROR_CODE_BLOB_UPLOAD_UNKNOWN, "{}");
        break;
    case ROUTE_NAME_INVALID:
        response_refuse(response, ERROR_CODE_NAME_INVALID, NULL);
        break;
    case ROUTE_NONE:
        refuse_path(response);
        break;
    default:
        refuse_method(call, response);
    }
}

/*
 * Answers a CORS preflight request, which browsers send without credentials. http.headers adds the
 * other headers.
 */
static bool answer_preflight(const struct call *call, struct response *response)
{
    char allow[ROUTES_ALLOW_SIZE];

    if (strcmp(call->method_name, "OPTIONS") != 0 || !call_get_header(call, "Origin") ||
        !routes_is_known(call->route.kind))
        return false;
    routes_format_allow(call->route.kind, allow);
    response_set_empty(response, 204);
    response_add_header(response, "Allow", "%s", allow);
    return true;
}

static void add_version(struct response *response)
{
    response_add_header(response, "Docker-Distribution-Api-Version", "registry/2.0");
}

static enum http_result begin_endpoint(struct call *call, struct response *response)
{
    if (!call->operation) {
        refuse_operation(call, response);
        return HTTP_DONE;
    }
    return call->operation->endpoint->begin ? call->operation->endpoint->begin(call, response)
                                            : HTTP_DONE;
}

static enum http_result begin_call(struct call *call, struct response *response)
{
    bool was_admitted = call->is_admitted;
    enum http_result result;

    if (answer_preflight(call, response))
        return HTTP_DONE;
    if (!was_admitted) {
        result = admit(call, response);
        if (result != HTTP_DONE || response->status)
            return result;
        /*
         * The password was checked on a thread of the pool "computers", which is not for other
         * work.
         */
        if (call_is_on_worker(call))
            return call_move(call);
    }
    return begin_endpoint(call, response);
}

static enum http_result begin(void *context, struct request *request, struct response *response)
{
    struct call *call = request->state ? request->state : call_new(context, request);
    enum http_result result;

    if (!call) {
        response_fail_oom(response);
        add_version(response);
        return HTTP_DONE;
    }
    result = begin_call(call, response);
    if (result == HTTP_DONE && response->status)
        add_version(response);
    return result;
}

/* --- the body -------------------------------------------------------------------------------- */

static enum http_result refuse_for_lack_of_room(struct response *response, int r)
{
    if (r == -ENOMEM) {
        response_fail_oom(response);
    } else {
        response_refuse(response, ERROR_CODE_TOOMANYREQUESTS,
                        "\"too many large manifests at once\"");
        response_add_header(response, "Retry-After", "10");
    }
    add_version(response);
    return HTTP_DONE;
}

static enum http_result receive(void *context, struct request *request, const void *data,
                                size_t size, struct response *response)
{
    struct call *call = call_of(request);
    int r;

    (void)context;
    if (call->operation->endpoint->receive)
        return call->operation->endpoint->receive(call, data, size);
    r = body_keep(call, data, size);
    return r < 0 ? refuse_for_lack_of_room(response, r) : HTTP_MORE;
}

static enum http_result answer(void *context, struct request *request, struct response *response)
{
    struct call *call = call_of(request);
    enum http_result result = call->operation->endpoint->answer(call, response);

    (void)context;
    if (result == HTTP_DONE)
        add_version(response);
    return result;
}

/* --- refusals of the transport, and the end -------------------------------------------------- */

static enum error_code code_of(unsigned status)
{
    if (status == 413)
        return ERROR_CODE_SIZE_INVALID;
    return status == 429 ? ERROR_CODE_TOOMANYREQUESTS : ERROR_CODE_UNSUPPORTED;
}

static void refuse(void *context, const struct request *request, unsigned status, const char *why,
                   struct response *response)
{
    size_t size = 0;
    char *text = error_code_format_message(code_of(status), why, NULL, &size);

    (void)context, (void)request;
    response_set_body(response, status, "application/json; charset=utf-8", text, size);
    if (status == 429)
        response_add_header(response, "Retry-After", "1");
    add_version(response);
}

static void end(void *context, struct request *request, const struct http_end *how)
{
    struct api *api = context;
    struct call *call = call_of(request);

    report_request(api, call, request, how);
    if (!call)
        return;
    if (call->operation && call->operation->endpoint->release)
        call->operation->endpoint->release(call);
    body_drop(call);
    credentials_done(&call->credentials);
    free(call);
    request->state = NULL;
}

static void hurry(void *context)
{
    store_cancel(((const struct api *)context)->store);
}

void dispatch_init(struct api *api, struct http_handler *ret)
{
    for (int kind = 0; kind < ROUTE_KINDS; kind++)
        api->handlers[kind] = (unsigned char)routes_find_handler((enum route_kind)kind);
    *ret = (struct http_handler){
        .context = api,
        .begin = begin,
        .receive = receive,
        .answer = answer,
        .refuse = refuse,
        .end = end,
        .hurry = hurry,
    };
}
