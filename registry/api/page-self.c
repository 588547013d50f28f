/*
 * Tells the page what it needs before anything else: how to log in here, who the user is, and what
 * may be asked for. It needs no login, but checks one, so the page uses it to try a password.
 */
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/page-answer.h"

/* How the page logs in. "external": only with a token of another server, which it cannot get. */
static const char *login_of(const struct access *access)
{
    if (access->external)
        return "external";
    if (!access->authenticator)
        return "none";
    return access->tokens ? "token" : "basic";
}

/* The host with which image names begin, and whether clients reach it without TLS. */
static void add_host(const struct call *call, struct text *text)
{
    char origin[REQUEST_HOST_MAX + 16] = "";
    const char *host = api_of(call)->host, *separator;
    bool is_insecure;
    size_t size;

    if (!host) {
        call_get_origin(call, origin, sizeof(origin));
        host = origin;
    }
    separator = strstr(host, "://");
    is_insecure = strncmp(host, "http://", strlen("http://")) == 0;
    host = separator ? separator + 3 : host;
    size = strcspn(host, "/");
    text_add_string(text, ",\"host\":\"");
    text_add(text, host, size);
    text_add_string(text, "\"");
    page_add_bool(text, "insecure", is_insecure);
}

/* Whether the user may push the image that the page names as an example. */
static bool may_push(const struct call *call)
{
    const struct access *access = api_of(call)->access;
    bool is_open = !access->authenticator && !access->external;

    return !api_of(call)->is_read_only && (is_open || access->rules || *call->principal.name) &&
           access_may_push(access, &call->principal, "hello");
}

static enum http_result answer_self(struct call *call, struct response *response)
{
    const struct api *api = api_of(call);
    const struct access *access = api->access;
    const char *user = call->principal.name, *login = login_of(access);
    bool is_known = *user || strcmp(login, "none") == 0;
    struct text text = {0};

    text_add_string(&text, "{\"user\":");
    if (*user)
        text_add_quoted(&text, user);
    else
        text_add_string(&text, "null");
    text_add_string(&text, ",\"login\":");
    text_add_quoted(&text, login);
    page_add_bool(&text, "tokens", access->tokens);
    if (access->tokens) {
        text_add_string(&text, ",\"service\":");
        text_add_quoted(&text, tokens_get_service(access->tokens));
    }
    page_add_bool(&text, "anonymous", access_has_anonymous(access));
    page_add_bool(&text, "catalog", is_known || access_has_anonymous(access));
    add_host(call, &text);
    page_add_bool(&text, "push", may_push(call));
    page_add_bool(&text, "delete_enabled", api->is_delete_enabled && !api->is_read_only);
    page_add_bool(&text, "health", access_may_see_health(access, &call->principal));
    if (is_known) { /* strangers do not learn the version */
        text_add_string(&text, ",\"version\":");
        text_add_quoted(&text, PACKAGE_VERSION);
    }
    text_add_string(&text, "}\n");
    page_answer(response, &text);
    return HTTP_DONE;
}

const struct endpoint endpoint_page_self = {.answer = answer_self};
