/*
 * From a route and a method to the endpoint that answers.
 */
#include "registry/api/api.h"

#include "common/macros.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"

enum { ANY = -1, READ = ROUTE_METHOD_GET | ROUTE_METHOD_HEAD };

static const struct {
    enum route_kind kind;
    int methods;
    const struct endpoint *endpoint;
} table[] = {
    {ROUTE_BASE, ANY, &endpoint_base},
    {ROUTE_BLOB, READ, &endpoint_blob_get},
    {ROUTE_MANIFEST_TAG, READ, &endpoint_manifest_get},
    {ROUTE_MANIFEST_DIGEST, READ, &endpoint_manifest_get},
    {ROUTE_UPLOADS, ROUTE_METHOD_POST, &endpoint_upload_start},
    {ROUTE_UPLOAD, ROUTE_METHOD_PATCH, &endpoint_upload_patch},
    {ROUTE_UPLOAD, ROUTE_METHOD_PUT, &endpoint_upload_put},
    {ROUTE_UPLOAD, READ, &endpoint_upload_get},
    {ROUTE_UPLOAD, ROUTE_METHOD_DELETE, &endpoint_upload_delete},
    {ROUTE_MANIFEST_TAG, ROUTE_METHOD_PUT, &endpoint_manifest_put},
    {ROUTE_MANIFEST_DIGEST, ROUTE_METHOD_PUT, &endpoint_manifest_put},
    {ROUTE_MANIFEST_TAG, ROUTE_METHOD_DELETE, &endpoint_manifest_delete},
    {ROUTE_MANIFEST_DIGEST, ROUTE_METHOD_DELETE, &endpoint_manifest_delete},
    {ROUTE_BLOB, ROUTE_METHOD_DELETE, &endpoint_blob_delete},
    {ROUTE_TAGS, READ, &endpoint_tags},
    {ROUTE_REFERRERS, READ, &endpoint_referrers},
    {ROUTE_CATALOG, READ, &endpoint_catalog},
    {ROUTE_ROOT, ANY, &endpoint_root},
    {ROUTE_HEALTH, READ, &endpoint_health},
    {ROUTE_BASE_REDIRECT, ANY, &endpoint_base_redirect},
};

/* registry:2 says both in plain text, since Go's net/http does; the specification knows one form of refusals. */

static void refuse_method(const struct request *request, struct response *response)
{
    char allow[ROUTE_ALLOW_SIZE];

    route_format_allow(request->route.kind, allow);
    response_refuse(response, ERROR_CODE_UNSUPPORTED, NULL);
    response_add_header(response, "Allow", "%s", allow);
}

static void refuse_path(struct response *response)
{
    response_refuse(response, ERROR_CODE_UNSUPPORTED, "\"there is nothing at this path\"");
    response->status = 404;
}

/* Paths that have the shape of a route, with a part that cannot be. */
static bool refuse_route(const struct request *request, struct response *response)
{
    switch (request->route.kind) {
    case ROUTE_MANIFEST_BAD_DIGEST:
    case ROUTE_BLOB_BAD_DIGEST:
    case ROUTE_REFERRERS_BAD_DIGEST:
        response_refuse(response, ERROR_CODE_DIGEST_INVALID, "{}");
        return true;
    case ROUTE_UPLOAD_BAD:
        response_refuse(response, ERROR_CODE_BLOB_UPLOAD_UNKNOWN, "{}");
        return true;
    case ROUTE_NAME_INVALID:
        response_refuse(response, ERROR_CODE_NAME_INVALID, NULL);
        return true;
    case ROUTE_NONE:
        refuse_path(response);
        return true;
    default:
        return false;
    }
}

const struct endpoint *api_find_endpoint(struct request *request, struct response *response)
{
    if (refuse_route(request, response))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].kind == request->route.kind && (table[i].methods == ANY || (unsigned)table[i].methods & request->method))
            return table[i].endpoint;
    refuse_method(request, response);
    return NULL;
}
