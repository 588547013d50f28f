#include "registry/api/routes.h"

#include <string.h>

#include "common/macros.h"
#include "registry/api/endpoints.h"
#include "registry/spec/escape.h"
#include "registry/spec/name.h"

enum { READ = ROUTE_METHOD_GET | ROUTE_METHOD_HEAD };

static const struct operation table[] = {
    {ROUTE_BASE, OPERATION_ANY_METHOD, NEED_LOGIN, "base", &endpoint_base},
    {ROUTE_BLOB, READ, NEED_PULL, "blob", &endpoint_blob_get},
    {ROUTE_BLOB, ROUTE_METHOD_DELETE, NEED_DELETE, "blob", &endpoint_blob_delete},
    {ROUTE_MANIFEST_TAG, READ, NEED_PULL, "manifest", &endpoint_manifest_get},
    {ROUTE_MANIFEST_TAG, ROUTE_METHOD_PUT, NEED_PUSH, "manifest", &endpoint_manifest_put},
    {ROUTE_MANIFEST_TAG, ROUTE_METHOD_DELETE, NEED_DELETE, "manifest", &endpoint_manifest_delete},
    {ROUTE_MANIFEST_DIGEST, READ, NEED_PULL, "manifest", &endpoint_manifest_get},
    {ROUTE_MANIFEST_DIGEST, ROUTE_METHOD_PUT, NEED_PUSH, "manifest", &endpoint_manifest_put},
    {ROUTE_MANIFEST_DIGEST, ROUTE_METHOD_DELETE, NEED_DELETE, "manifest",
     &endpoint_manifest_delete},
    {ROUTE_UPLOADS, ROUTE_METHOD_POST, NEED_PUSH, "blob_upload", &endpoint_upload_start},
    {ROUTE_UPLOAD, READ, NEED_PULL, "blob_upload_chunk", &endpoint_upload_get},
    {ROUTE_UPLOAD, ROUTE_METHOD_PATCH, NEED_PUSH, "blob_upload_chunk", &endpoint_upload_patch},
    {ROUTE_UPLOAD, ROUTE_METHOD_PUT, NEED_PUSH, "blob_upload_chunk", &endpoint_upload_put},
    {ROUTE_UPLOAD, ROUTE_METHOD_DELETE, NEED_CANCEL, "blob_upload_chunk", &endpoint_upload_delete},
    {ROUTE_TAGS, READ, NEED_PULL, "tags", &endpoint_tags},
    {ROUTE_REFERRERS, READ, NEED_PULL, "referrers", &endpoint_referrers},
    {ROUTE_CATALOG, READ, NEED_CATALOG, "catalog", &endpoint_catalog},
    {ROUTE_ROOT, OPERATION_ANY_METHOD, NEED_NOTHING, "root", &endpoint_root},
    {ROUTE_HEALTH, READ, NEED_NOTHING, "health", &endpoint_health},
    {ROUTE_TOKEN, ROUTE_METHOD_GET, NEED_NOTHING, "token", &endpoint_token_get},
    {ROUTE_TOKEN, ROUTE_METHOD_POST, NEED_NOTHING, "token", &endpoint_token_post},
    {ROUTE_TOKEN_REVOKE, ROUTE_METHOD_POST, NEED_NOTHING, "token", &endpoint_token_revoke},
    {ROUTE_BASE_REDIRECT, OPERATION_ANY_METHOD, NEED_NOTHING, "base", &endpoint_base_redirect},
    {ROUTE_PAGE_REDIRECT, READ, NEED_NOTHING, "page", &endpoint_page_redirect},
    {ROUTE_PAGE_ASSET, READ, NEED_NOTHING, "page", &endpoint_page_asset},
    {ROUTE_PAGE_TAGS, READ, NEED_PULL, "page", &endpoint_page_tags},
    {ROUTE_PAGE_REPOSITORIES, READ, NEED_CATALOG, "page", &endpoint_page_repositories},
    {ROUTE_PAGE_SPACE, READ, NEED_CATALOG, "page", &endpoint_page_space},
    {ROUTE_PAGE_REPOSITORY_SPACE, READ, NEED_PULL, "page", &endpoint_page_repository_space},
    {ROUTE_PAGE_CONSEQUENCES, READ, NEED_PULL, "page", &endpoint_page_consequences},
    {ROUTE_PAGE_HEALTH, READ, NEED_CATALOG, "page", &endpoint_page_health},
    {ROUTE_PAGE_SELF, READ, NEED_ANYONE, "page", &endpoint_page_self},
};

/* Sorted by name, because registry:2 sorts Allow. */
static const struct {
    const char *name;
    unsigned bit;
} methods[] = {
    {"DELETE", ROUTE_METHOD_DELETE}, {"GET", ROUTE_METHOD_GET},   {"HEAD", ROUTE_METHOD_HEAD},
    {"PATCH", ROUTE_METHOD_PATCH},   {"POST", ROUTE_METHOD_POST}, {"PUT", ROUTE_METHOD_PUT},
};

/* A path with an invalid part allows the methods of the route that it resembles. */
static enum route_kind shape_of(enum route_kind kind)
{
    switch (kind) {
    case ROUTE_MANIFEST_BAD_DIGEST:
        return ROUTE_MANIFEST_DIGEST;
    case ROUTE_BLOB_BAD_DIGEST:
        return ROUTE_BLOB;
    case ROUTE_REFERRERS_BAD_DIGEST:
        return ROUTE_REFERRERS;
    case ROUTE_UPLOAD_BAD:
        return ROUTE_UPLOAD;
    default:
        return kind;
    }
}

const struct operation *routes_find(enum route_kind kind, unsigned method)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].kind == kind &&
            (table[i].methods == OPERATION_ANY_METHOD || (unsigned)table[i].methods & method))
            return &table[i];
    return NULL;
}

/* --- handlers --------------------------------------------------------------------------------- */

size_t routes_list_handlers(const char *ret_names[ROUTES_HANDLERS_MAX])
{
    size_t count = 0;

    ret_names[count++] = "none";
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        size_t j = 0;

        while (j < count && strcmp(ret_names[j], table[i].handler) != 0)
            j++;
        if (j == count && count < ROUTES_HANDLERS_MAX)
            ret_names[count++] = table[i].handler;
    }
    return count;
}

size_t routes_find_handler(enum route_kind kind)
{
    const char *names[ROUTES_HANDLERS_MAX], *wanted = NULL;
    size_t count = routes_list_handlers(names);

    for (size_t i = 0; i < ARRAY_SIZE(table) && !wanted; i++)
        if (table[i].kind == shape_of(kind))
            wanted = table[i].handler;
    for (size_t i = 1; wanted && i < count; i++)
        if (strcmp(names[i], wanted) == 0)
            return i;
    return 0;
}

/* --- methods ---------------------------------------------------------------------------------- */

static unsigned allowed_methods(enum route_kind kind)
{
    unsigned allowed = 0;

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].kind == shape_of(kind))
            allowed |= (unsigned)table[i].methods;
    return allowed;
}

bool routes_is_known(enum route_kind kind)
{
    return allowed_methods(kind) != 0;
}

bool routes_is_public(enum route_kind kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].kind == kind && table[i].need == NEED_NOTHING)
            return true;
    return false;
}

void routes_format_allow(enum route_kind kind, char ret_text[ROUTES_ALLOW_SIZE])
{
    unsigned allowed = allowed_methods(kind);
    char *at = ret_text;

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        const char *name = methods[i].name;

        if (!(allowed & methods[i].bit))
            continue;
        if (at > ret_text)
            at = mempcpy(at, ", ", 2);
        at = mempcpy(at, name, strlen(name));
    }
    *at = '\0';
}

/* --- scopes ----------------------------------------------------------------------------------- */

/* The right that a method needs on a path without an operation, for the refusal's text. */
static enum operation_need need_of_method(unsigned method)
{
    if (method == ROUTE_METHOD_DELETE)
        return NEED_DELETE;
    return method & (ROUTE_METHOD_POST | ROUTE_METHOD_PUT | ROUTE_METHOD_PATCH) ? NEED_PUSH
                                                                                : NEED_PULL;
}

size_t routes_find_scopes(const struct call *call,
                          struct access_scope ret_scopes[ROUTES_SCOPES_MAX],
                          char from[NAME_MAX_SIZE + 1])
{
    enum operation_need need =
        call->operation ? call->operation->need : need_of_method(call->method);
    bool is_delete = need == NEED_DELETE || need == NEED_CANCEL;
    const char *name = call->route.name;
    size_t count = 0;

    if (need == NEED_CATALOG)
        ret_scopes[count++] =
            (struct access_scope){.type = "registry", .name = "catalog", .action = "*"};
    if (!*name)
        return count;
    ret_scopes[count++] = (struct access_scope){.type = "repository", .name = name,
                                                .action = is_delete ? "delete" : "pull",
                                                .kind = need == NEED_CANCEL ? SCOPE_CANCEL
                                                                            : SCOPE_REQUIRED};
    if (need == NEED_PUSH)
        ret_scopes[count++] =
            (struct access_scope){.type = "repository", .name = name, .action = "push"};
    /* A blob that cannot be mounted is uploaded. */
    if (escape_find(call->query, "from", from, NAME_MAX_SIZE + 1) == 0 &&
        name_is_repository(from, strlen(from)))
        ret_scopes[count++] = (struct access_scope){
            .type = "repository", .name = from, .action = "pull", .kind = SCOPE_OPTIONAL};
    return count;
}
