/*
 * Formats WWW-Authenticate. A registry with tokens sends only a Bearer challenge: docker answers
 * every challenge that it understands, the last answer wins, and a docker with an identity token
 * fails on Basic.
 */
#include "registry/api/challenge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "registry/api/answer.h"

enum { REALM_SIZE = 1200, SCOPE_SIZE = 900 };

/* A text that is truncated to its size. */
struct line {
    char *text;
    size_t size, used;
};

static PRINTF_LIKE(2, 3) void line_add(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (line->used < line->size)
        line->used +=
            (size_t)vsnprintf(line->text + line->used, line->size - line->used, format, arguments);
    va_end(arguments);
}

void challenge_format_detail(const struct access_scope *scopes, size_t count,
                             char ret_detail[CHALLENGE_DETAIL_SIZE])
{
    struct line line = {.text = ret_detail, .size = CHALLENGE_DETAIL_SIZE};

    for (size_t i = 0; i < count; i++)
        line_add(&line, "%c{\"Type\":\"%s\",\"Class\":\"\",\"Name\":\"%s\",\"Action\":\"%s\"}",
                 i ? ',' : '[', scopes[i].type, scopes[i].name, scopes[i].action);
    line_add(&line, count ? "]" : "null");
}

/* --- Bearer --------------------------------------------------------------------------------- */

static bool is_same_resource(const struct access_scope *a, const struct access_scope *b)
{
    return strcmp(a->type, b->type) == 0 && strcmp(a->name, b->name) == 0;
}

/* "repository:team/app:pull,push repository:base:pull". scopes are grouped by resource. */
static void format_scope(const struct access_scope *scopes, size_t count,
                         char ret_scope[SCOPE_SIZE])
{
    struct line line = {.text = ret_scope, .size = SCOPE_SIZE};

    ret_scope[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && is_same_resource(&scopes[i - 1], &scopes[i]))
            line_add(&line, ",%s", scopes[i].action);
        else
            line_add(&line, "%s%s:%s:%s", i > 0 ? " " : "", scopes[i].type, scopes[i].name,
                     scopes[i].action);
    }
}

/*
 * The URL of an external token server. With autoredirect it is a path on the host of the request,
 * as in registry:2.
 */
static void format_external_realm(const struct call *call, char ret_realm[REALM_SIZE])
{
    const struct api_token_server *server = &call->api->token_server;
    const char *host = call_get_header(call, "Host");

    if (server->redirect_path && host && !strpbrk(host, "\"\\ "))
        snprintf(ret_realm, REALM_SIZE, "https://%s%s", host, server->redirect_path);
    else
        snprintf(ret_realm, REALM_SIZE, "%s", server->realm);
}

/*
 * The URL of our token server: http.host if it is set, as for Location, or else the origin of the
 * request.
 */
static void format_realm(const struct call *call, char ret_realm[REALM_SIZE])
{
    const struct api *api = call->api;
    char origin[REALM_SIZE / 2] = "";

    if (api->host)
        snprintf(ret_realm, REALM_SIZE, "%s/token", api->host);
    else {
        call_get_origin(call, origin, sizeof(origin));
        snprintf(ret_realm, REALM_SIZE, "%s%s/token", origin, api->prefix);
    }
}

static const char *service_of(const struct call *call)
{
    const struct api *api = call->api;

    return api->access->external ? api->token_server.service
                                 : tokens_get_service(api->access->tokens);
}

static void add_bearer(const struct call *call, struct response *response,
                       const struct access_scope *scopes, size_t count,
                       enum access_reason reason)
{
    static const char *const errors[] = {
        [ACCESS_NO_LOGIN] = "",
        [ACCESS_TOKEN_INVALID] = ",error=\"invalid_token\"",
        [ACCESS_SCOPE_MISSING] = ",error=\"insufficient_scope\"",
    };
    char realm[REALM_SIZE], scope[SCOPE_SIZE];

    if (call->api->access->external)
        format_external_realm(call, realm);
    else
        format_realm(call, realm);
    format_scope(scopes, count, scope);
    response_add_header(response, "WWW-Authenticate", "Bearer realm=\"%s\",service=\"%s\"%s%s%s%s",
                        realm, service_of(call), *scope ? ",scope=\"" : "", scope,
                        *scope ? "\"" : "", errors[reason]);
}

/* --- challenges ----------------------------------------------------------------------------- */

bool challenge_is_from_page(const struct call *call)
{
    const char *with = call_get_header(call, "X-Requested-With");

    return call->api->page && with && strcmp(with, "registryd-page") == 0;
}

/* Browsers ask for a password when they see Basic. The page asks itself. */
void challenge_add_basic(const struct call *call, struct response *response)
{
    response_add_header(response, "WWW-Authenticate", "%s realm=\"%s\"",
                        challenge_is_from_page(call) ? "X-Basic" : "Basic", call->api->realm);
}

void challenge(const struct call *call, struct response *response,
               const struct access_scope *scopes, size_t count, enum access_reason reason)
{
    char detail[CHALLENGE_DETAIL_SIZE];

    challenge_format_detail(scopes, count, detail);
    response_refuse(response, ERROR_CODE_UNAUTHORIZED, detail);
    if (access_has_bearer(call->api->access))
        add_bearer(call, response, scopes, count, reason);
    else
        challenge_add_basic(call, response);
}
