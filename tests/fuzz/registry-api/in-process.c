#include "tests/fuzz/registry-api/in-process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "registry/api/dispatch.h"
#include "registry/storage/filesystem/filesystem.h"
#include "tests/fuzz/fuzz.h"

/* A request as the server passes it to the API. */
struct sending {
    const struct sent *sent;
    struct head head;
    struct request request;
    char text[4096]; /* the headers */
    size_t used;
};

static void add_header(struct sending *sending, const char *name, const char *value)
{
    struct head *head = &sending->head;
    struct head_header *header = &head->headers[head->header_count];
    size_t name_size = strlen(name) + 1, value_size;

    if (!value)
        return;
    value_size = strlen(value) + 1;
    REQUIRE(sending->used + name_size + value_size <= sizeof(sending->text));
    header->name = (uint16_t)sending->used;
    header->value = (uint16_t)(sending->used + name_size);
    memcpy(sending->text + header->name, name, name_size);
    memcpy(sending->text + header->value, value, value_size);
    sending->used += name_size + value_size;
    head->header_count++;
}

/* Requests are not authenticated. */
static const struct access everybody;

/* --- the store --------------------------------------------------------------------------- */

static void open_store(struct in_process *registry)
{
    struct storage *storage;
    struct error err = {0};

    if (filesystem_open(registry->root, FILESYSTEM_SERVES, &storage, &err) < 0 ||
        store_open(storage, &registry->api.store, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void in_process_start(struct in_process *registry)
{
    /* Nothing runs on these pools; only their addresses are compared. */
    static char workers, computers;

    *registry = (struct in_process){.api = {.workers = (void *)&workers,
                                            .computers = (void *)&computers,
                                            .access = &everybody,
                                            .prefix = "",
                                            .is_delete_enabled = true,
                                            .catalog_max = 1000}};
    dispatch_init(&registry->api, &registry->handler);
    memory_directory_make(registry->root);
    open_store(registry);
}

void in_process_stop(struct in_process *registry)
{
    store_close(registry->api.store);
    memory_directory_remove(registry->root);
}

void in_process_restart(struct in_process *registry)
{
    store_close(registry->api.store);
    open_store(registry);
}

/* --- handling of a request --------------------------------------------------------------- */

/* This thread may wait, like a worker. */
static void finish(enum http_result result)
{
    REQUIRE(result != HTTP_ON_WORKER);
}

static void receive(const struct http_handler *handler, struct sending *sending,
                    struct response *response)
{
    const struct sent *sent = sending->sent;
    size_t step = sent->chunk ? sent->chunk : sent->size;
    enum http_result result = HTTP_MORE;

    for (size_t at = 0; at < sent->size && result == HTTP_MORE; at += step) {
        size_t size = sent->size - at < step ? sent->size - at : step;

        sending->request.received += size;
        result = handler->receive(handler->context, &sending->request,
                                  (const char *)sent->body + at, size, response);
        finish(result);
    }
}

static void run(struct in_process *registry, struct sending *sending, struct response *response)
{
    const struct http_handler *handler = &registry->handler;
    struct request *request = &sending->request;

    request->is_on_worker = true;
    /* Once more after authentication, as when a request moves from the computers to the workers. */
    if (handler->begin(handler->context, request, response) == HTTP_ON_WORKER)
        finish(handler->begin(handler->context, request, response));
    if (!response->status)
        receive(handler, sending, response);
    /* Once more, as when a large manifest moves from the computers to the workers. */
    if (!response->status && handler->answer(handler->context, request, response) == HTTP_ON_WORKER)
        finish(handler->answer(handler->context, request, response));
    handler->end(handler->context, request, &(struct http_end){.status = response->status});
}

static void prepare(struct sending *sending, const struct sent *sent)
{
    sending->sent = sent;
    sending->head.text = sending->text;
    sending->head.method = sent->method;
    sending->head.target = sent->target;
    sending->head.minor = 1;
    sending->head.body_size = sent->is_chunked ? -1 : (int64_t)sent->size;
    sending->request.head = &sending->head;
    add_header(sending, "Host", "registry");
    add_header(sending, "Content-Type", sent->content_type);
    add_header(sending, "Content-Range", sent->content_range);
    add_header(sending, "Range", sent->range);
    add_header(sending, "Accept", sent->accept);
}

/* --- the answer -------------------------------------------------------------------------- */

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

/* The specification's format ("Error codes"). */
static void check_refusal(const struct answer *answer)
{
    CLEANUP(json_freep) struct json *document = NULL;
    const struct json *first;

    REQUIRE(strncmp(answer->content_type, "application/json", strlen("application/json")) == 0);
    REQUIRE(json_parse_public(answer->body, answer->size, &document) == 0);
    first = json_get_first(json_find(document, "errors"));
    REQUIRE(first && json_get_text(json_find(first, "code")) &&
            json_get_text(json_find(first, "message")));
}

void in_process_send(struct in_process *registry, const struct sent *sent, struct answer *ret)
{
    CLEANUP_FREE struct sending *sending = calloc(1, sizeof(*sending));
    struct response response = {0};
    struct route route;

    REQUIRE(sending);
    *ret = (struct answer){0};
    prepare(sending, sent);
    run(registry, sending, &response);
    route_parse_escaped(sent->target, strcspn(sent->target, "?"), &route);
    if (response.failure) /* an internal error, which must not happen here */
        fprintf(stderr, "%s %s: %s\n", sent->method, sent->target, response.failure);
    REQUIRE(!response.failure && response.status >= 200 && response.status < 500);
    ret->status = response.status;
    response_for_each_header(&response, take_header, ret);
    read_body(&response, sent, ret);
    if (response.status >= 400 && strcmp(sent->method, "HEAD") != 0 && ret->size &&
        route.kind != ROUTE_NONE)
        check_refusal(ret);
    response_done(&response);
}

void answer_done(struct answer *answer)
{
    free(answer->body);
    *answer = (struct answer){0};
}
