/*
 * Manifests are read and deleted: end-3 and end-9 of the specification.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"

/* The two details by which registry:2 tells what it looked for. */
static void answer_manifest_unknown(const struct call *call, struct response *response)
{
    const struct route *route = &call->route;
    char detail[NAME_MAX_SIZE + DIGEST_TEXT_SIZE + 64], text[DIGEST_TEXT_SIZE];

    if (route->kind == ROUTE_MANIFEST_TAG) {
        answer_unknown(response, ERROR_CODE_MANIFEST_UNKNOWN, "Tag", route->tag);
        return;
    }
    digest_format(&route->digest, text);
    snprintf(detail, sizeof(detail), "{\"Name\":\"%s\",\"Revision\":\"%s\"}", route->name, text);
    response_refuse(response, ERROR_CODE_MANIFEST_UNKNOWN, detail);
}

/* 0, STORE_NOT_FOUND, STORE_WOULD_WAIT, or negative. */
static int resolve(const struct call *call, struct digest *ret_digest, struct error *err)
{
    const struct route *route = &call->route;

    if (route->kind == ROUTE_MANIFEST_TAG)
        return store_resolve_tag(api_of(call)->store, route->name, route->tag, call_may_wait(call), ret_digest, err);
    *ret_digest = route->digest;
    return 0;
}

/*
 * A client that learns that a manifest is here may not push it, and one that reads it may push an index that names it: so
 * it is protected from garbage collection. But a pull never waits for the collection; and where the files are another
 * user's nothing can be promised for long.
 */
static int get(const struct call *call, const struct digest *digest, struct store_content *ret, struct error *err)
{
    const struct api *api = call->api;
    const char *name = call->route.name;
    bool is_question = call->method == ROUTE_METHOD_HEAD && call->route.kind == ROUTE_MANIFEST_DIGEST;
    enum store_waiting waiting = STORE_MUST_NOT_WAIT;

    if (call_is_on_worker(call))
        waiting = is_question && !call_is_on_computer(call) ? STORE_MAY_WAIT : STORE_MAY_READ;
    if (!api->is_read_only) {
        int r = store_get_wanted_manifest(api->store, name, digest, waiting, ret, err);
        bool has_failed = r < 0 || (r == STORE_WOULD_WAIT && call_is_on_worker(call) && !is_question);

        if (!has_failed || (is_question && r != -EACCES && r != -EPERM))
            return r;
    }
    return store_get_manifest(api->store, name, digest, waiting, ret, err);
}

static enum http_result answer_get(struct call *call, struct response *response)
{
    struct store_content content = {0};
    struct digest digest;
    struct error err = {0};
    int r = resolve(call, &digest, &err);

    if (r == 0)
        r = get(call, &digest, &content, &err);
    if (r == STORE_WOULD_WAIT) /* the manifest is large; or garbage collection holds its lock */
        return call_is_on_worker(call) ? call_move(call) : call_move_to_computer(call);
    if (r < 0) {
        response_fail(response, &err);
    } else if (r > 0) {
        answer_manifest_unknown(call, response);
    } else {
        if (!answer_if_settled(call, response, &digest)) {
            response_set_body(response, 200, content.media_type, steal_ptr(&content.bytes), content.size);
            if (call->method == ROUTE_METHOD_GET)
                answer_pulled(call, &digest, content.size, content.media_type);
        }
        store_content_done(&content);
    }
    return HTTP_DONE;
}

static enum http_result answer_delete(struct call *call, struct response *response)
{
    const struct route *route = &call->route;
    struct store *store = api_of(call)->store;
    const char *actor = call_get_actor(call);
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move(call);
    if (answer_if_not_deleting(call, response))
        return HTTP_DONE;
    r = route->kind == ROUTE_MANIFEST_TAG ? store_delete_tag(store, route->name, route->tag, actor, &err)
                                          : store_delete_manifest(store, route->name, &route->digest, actor, &err);
    if (r < 0)
        response_fail(response, &err);
    else if (r > 0)
        answer_manifest_unknown(call, response);
    else
        response_set_empty(response, 202);
    return HTTP_DONE;
}

const struct endpoint endpoint_manifest_get = {.answer = answer_get};
const struct endpoint endpoint_manifest_delete = {.answer = answer_delete};
