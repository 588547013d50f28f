/*
 * Manifests are read and deleted: end-3 and end-9 of the specification.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"

/* The two details by which registry:2 tells what it looked for. */
static void answer_manifest_unknown(const struct request *request, struct response *response)
{
    const struct route *route = &request->route;
    char detail[NAME_MAX_SIZE + DIGEST_TEXT_SIZE + 64], text[DIGEST_TEXT_SIZE];

    if (route->kind == ROUTE_MANIFEST_TAG) {
        answer_unknown(response, ERROR_CODE_MANIFEST_UNKNOWN, "Tag", route->tag);
        return;
    }
    digest_format(&route->digest, text);
    snprintf(detail, sizeof(detail), "{\"Name\":\"%s\",\"Revision\":\"%s\"}", route->name, text);
    response_refuse(response, ERROR_CODE_MANIFEST_UNKNOWN, detail);
}

/* 0, STORE_NOT_FOUND, or negative. */
static int resolve(const struct request *request, struct digest *ret_digest, struct error *err)
{
    const struct route *route = &request->route;

    if (route->kind == ROUTE_MANIFEST_TAG)
        return store_resolve_tag(api_of(request)->store, route->name, route->tag, ret_digest, err);
    *ret_digest = route->digest;
    return 0;
}

/*
 * Who asks whether a manifest is here may not push it, and who reads it may push an index that names it. But nothing
 * holds up who only pulls; and where files are another user's nothing can be promised for long.
 */
static int get(const struct request *request, const struct digest *digest, struct store_content *ret, struct error *err)
{
    const struct api *api = api_of(request);
    const char *name = request->route.name;
    bool is_question = request->method == ROUTE_METHOD_HEAD && request->route.kind == ROUTE_MANIFEST_DIGEST;

    if (!api->is_read_only) {
        int r = store_get_wanted_manifest(api->store, name, digest, is_question ? STORE_SHORT_PATIENCE_MS : 0, ret, err);

        if (r >= 0 || (is_question && r != -EACCES && r != -EPERM))
            return r;
    }
    return store_get_manifest(api->store, name, digest, ret, err);
}

static void answer_get(struct request *request, struct response *response)
{
    struct store_content content = {0};
    struct digest digest;
    struct error err = {0};
    int r = resolve(request, &digest, &err);

    if (r == 0)
        r = get(request, &digest, &content, &err);
    if (r < 0) {
        response_fail(response, &err);
    } else if (r > 0) {
        answer_manifest_unknown(request, response);
    } else {
        if (!answer_if_settled(request, response, &digest))
            response_set_body(response, 200, content.media_type, steal_ptr(&content.bytes), content.size);
        store_content_done(&content);
    }
}

static void answer_delete(struct request *request, struct response *response)
{
    const struct route *route = &request->route;
    struct store *store = api_of(request)->store;
    struct error err = {0};
    int r;

    if (answer_if_not_deleting(request, response))
        return;
    r = route->kind == ROUTE_MANIFEST_TAG ? store_delete_tag(store, route->name, route->tag, &err)
                                          : store_delete_manifest(store, route->name, &route->digest, &err);
    if (r < 0)
        response_fail(response, &err);
    else if (r > 0)
        answer_manifest_unknown(request, response);
    else
        response_set_empty(response, 202);
}

const struct endpoint endpoint_manifest_get = {.name = "manifest", .answer = answer_get};
const struct endpoint endpoint_manifest_delete = {.name = "manifest", .answer = answer_delete, .is_slow = true};
