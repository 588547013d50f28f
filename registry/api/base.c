/*
 * What is there apart from repositories: the probe by which clients learn that this is a registry,
 * and health.
 */
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"

static void answer_base(struct request *request, struct response *response)
{
    (void)request;
    response_set_body(response, 200, "application/json; charset=utf-8", strdup("{}"), 2);
}

/* registry:2 answers so at /v2, and clients follow. */
static void answer_base_redirect(struct request *request, struct response *response)
{
    static const char text[] = "<a href=\"/v2/\">Moved Permanently</a>.\n\n";

    response_set_body(response, 301, "text/html; charset=utf-8", strdup(text), sizeof(text) - 1);
    response_add_header(response, "Location", "%s/v2/", api_of(request)->prefix);
}

static void answer_root(struct request *request, struct response *response)
{
    (void)request;
    response_set_empty(response, 200);
    response_add_header(response, "Cache-Control", "no-cache");
}

/* Healthy is who can reach the storage. */
static void answer_health(struct request *request, struct response *response)
{
    struct error err = {0};

    if (store_check(api_of(request)->store, &err) < 0) {
        response_fail(response, &err);
        response->status = 503;
        return;
    }
    response_set_body(response, 200, "application/json; charset=utf-8", strdup("{}"), 2);
    response_add_header(response, "Cache-Control", "no-cache");
}

const struct endpoint endpoint_base = {.name = "base", .answer = answer_base};
const struct endpoint endpoint_base_redirect = {.name = "base", .answer = answer_base_redirect};
const struct endpoint endpoint_root = {.name = "root", .answer = answer_root};
const struct endpoint endpoint_health = {.name = "health", .answer = answer_health, .is_slow = true};
