#include "tests/fuzz/registry-api/in-process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "tests/fuzz/fuzz.h"

/* --- what takes the place of the server's own ----------------------------------------------------- */

struct in_process_request {
    struct request request; /* first: the endpoints know only this */
    const struct sent *sent;
};

const char *request_get_header(const struct request *request, const char *name)
{
    const struct sent *sent = ((const struct in_process_request *)request)->sent;

    if (strcasecmp(name, "Content-Type") == 0)
        return sent->content_type;
    if (strcasecmp(name, "Content-Range") == 0)
        return sent->content_range;
    if (strcasecmp(name, "Range") == 0)
        return sent->range;
    return strcasecmp(name, "Accept") == 0 ? sent->accept : NULL;
}

int request_join_header(const struct request *request, const char *name, char *ret_value, size_t size)
{
    const char *value = request_get_header(request, name);

    if (!value)
        return -ENOENT;
    return (size_t)snprintf(ret_value, size, "%s", value) < size ? 0 : -E2BIG;
}

void request_get_origin(const struct request *request, char *ret_origin, size_t size)
{
    (void)request;
    snprintf(ret_origin, size, "http://registry");
}

/* --- the store -------------------------------------------------------------------------------------- */

static void open_store(struct in_process *registry)
{
    struct error err = {0};

    if (store_open(registry->root, STORE_SERVES, &registry->api.store, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void in_process_start(struct in_process *registry)
{
    *registry = (struct in_process){.api = {.prefix = "", .is_delete_enabled = true, .catalog_max = 1000}};
    memory_folder_make(registry->root);
    open_store(registry);
}

void in_process_stop(struct in_process *registry)
{
    store_close(registry->api.store);
    memory_folder_remove(registry->root);
}

void in_process_restart(struct in_process *registry)
{
    store_close(registry->api.store);
    open_store(registry);
}

/* --- the way of a request ----------------------------------------------------------------------------- */

static void receive(struct request *request, const struct endpoint *endpoint, const struct sent *sent)
{
    size_t step = sent->chunk ? sent->chunk : sent->size;

    for (size_t at = 0; at < sent->size; at += step) {
        size_t size = sent->size - at < step ? sent->size - at : step;

        request->received += size;
        if (endpoint->receive)
            endpoint->receive(request, (const char *)sent->body + at, size);
    }
    if (endpoint->receive || endpoint->body_limit == 0)
        return;
    request->is_body_too_large = sent->size > endpoint->body_limit;
    request->body_kept = request->is_body_too_large ? 0 : sent->size;
    request->body = request->body_kept ? sent->body : NULL;
}

static void run(struct in_process *registry, struct in_process_request *request, const struct sent *sent,
                struct response *response)
{
    const struct endpoint *endpoint;

    request->request.context = &registry->api;
    endpoint = api_find_endpoint(&request->request, response);
    if (response->status || !endpoint)
        return;
    if (endpoint->begin)
        endpoint->begin(&request->request, response);
    if (!response->status) {
        receive(&request->request, endpoint, sent);
        endpoint->answer(&request->request, response);
    }
    if (endpoint->release)
        endpoint->release(&request->request);
}

static void parse(struct in_process_request *request, const struct sent *sent)
{
    size_t size = strcspn(sent->target, "?");

    request->sent = sent;
    request->request.method_name = sent->method;
    request->request.method = route_method_parse(sent->method);
    request->request.uri = sent->target;
    request->request.query = sent->target[size] ? sent->target + size + 1 : sent->target + size;
    request->request.body_size = sent->is_chunked ? -1 : (int64_t)sent->size;
    route_parse_escaped(sent->target, size, &request->request.route);
}

/* --- the answer ---------------------------------------------------------------------------------------- */

static void take_header(void *object, const char *name, const char *value)
{
    struct answer *answer = object;

    for (const char *at = value; *at; at++)
        REQUIRE((unsigned char)*at >= ' ' && *at != 0x7F);
    if (strcasecmp(name, "Location") == 0)
        snprintf(answer->location, sizeof(answer->location), "%s", value);
    else if (strcasecmp(name, "Docker-Content-Digest") == 0)
        snprintf(answer->digest, sizeof(answer->digest), "%s", value);
    else if (strcasecmp(name, "Range") == 0)
        snprintf(answer->range, sizeof(answer->range), "%s", value);
    else if (strcasecmp(name, "Link") == 0)
        snprintf(answer->link, sizeof(answer->link), "%s", value);
    else if (strcasecmp(name, "Content-Type") == 0)
        snprintf(answer->content_type, sizeof(answer->content_type), "%s", value);
}

static void read_body(struct response *response, const struct sent *sent, struct answer *answer)
{
    bool is_read = strcmp(sent->method, "HEAD") != 0;

    answer->size = (size_t)response->size;
    answer->body = calloc(1, answer->size + 1);
    REQUIRE(answer->body);
    for (size_t at = 0; is_read && at < answer->size;) {
        ssize_t n = response_read(response, at, answer->body + at, answer->size - at);

        REQUIRE(n > 0);
        at += (size_t)n;
    }
}

/* The form of the specification ("Error codes"). */
static void check_refusal(const struct answer *answer)
{
    CLEANUP(json_freep) struct json *document = NULL;
    const struct json *first;

    REQUIRE(strncmp(answer->content_type, "application/json", strlen("application/json")) == 0);
    REQUIRE(json_parse_public(answer->body, answer->size, &document) == 0);
    first = json_get_first(json_find(document, "errors"));
    REQUIRE(first && json_get_text(json_find(first, "code")) && json_get_text(json_find(first, "message")));
}

void in_process_send(struct in_process *registry, const struct sent *sent, struct answer *ret)
{
    struct in_process_request request = {0};
    struct response response = {0};

    *ret = (struct answer){0};
    parse(&request, sent);
    run(registry, &request, sent, &response);
    if (response.failure) /* the server's own fault: there is none here */
        fprintf(stderr, "%s %s: %s\n", sent->method, sent->target, response.failure);
    REQUIRE(!response.failure && response.status >= 200 && response.status < 500);
    ret->status = response.status;
    response_for_each_header(&response, take_header, ret);
    read_body(&response, sent, ret);
    if (response.status >= 400 && strcmp(sent->method, "HEAD") != 0 && ret->size && request.request.route.kind != ROUTE_NONE)
        check_refusal(ret);
    response_done(&response);
}

void answer_done(struct answer *answer)
{
    free(answer->body);
    *answer = (struct answer){0};
}
