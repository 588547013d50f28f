/*
 * The endpoints outside repositories: /v2/, by which clients recognise a registry (end-1), and the
 * health check.
 */
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"

static enum http_result answer_base(struct call *call, struct response *response)
{
    (void)call;
    response_set_body(response, 200, "application/json; charset=utf-8", strdup("{}"), 2);
    return HTTP_DONE;
}

/* registry:2 redirects /v2 in this way, and clients follow. */
static enum http_result answer_base_redirect(struct call *call, struct response *response)
{
    static const char text[] = "<a href=\"/v2/\">Moved Permanently</a>.\n\n";

    response_set_body(response, 301, "text/html; charset=utf-8", strdup(text), sizeof(text) - 1);
    response_add_header(response, "Location", "%s/v2/", api_of(call)->prefix);
    return HTTP_DONE;
}

/* The registry is healthy if it can reach the storage. */
static enum http_result answer_health(struct call *call, struct response *response)
{
    struct error err = {0};

    if (health_get(api_of(call)->health, &err) < 0) {
        response_fail(response, &err);
        response->status = 503;
        return HTTP_DONE;
    }
    response_set_body(response, 200, "application/json; charset=utf-8", strdup("{}"), 2);
    response_add_header(response, "Cache-Control", "no-cache");
    return HTTP_DONE;
}

const struct endpoint endpoint_base = {.answer = answer_base};
const struct endpoint endpoint_base_redirect = {.answer = answer_base_redirect};
const struct endpoint endpoint_health = {.answer = answer_health};
