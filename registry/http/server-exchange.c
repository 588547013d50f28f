/*
 * The way of a request through the server: its head is read and admitted, its body arrives, it is
 * answered. libmicrohttpd calls again and again; each call goes on from the state that the last one left.
 *
 * What libmicrohttpd 0.9.75 asks for: an answer may be queued when the head is there, but then the
 * connection closes, or when all of the body is there, and at no moment between. The handler is called
 * for the head, again for the head when a connection that was suspended then goes on, for each
 * piece of the body, and for its end, also where there is none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/http/request-private.h"
#include "registry/http/response-send.h"
#include "registry/spec/range.h"

/*
 * How much of a refused body is read, so that its sender sees the answer and not a reset: of strangers'.
 * Who is admitted may send what he likes; it would cost no less if it were taken.
 */
enum { THROWN_AWAY_MAX = 4 << 20, BODIES_MAX = 64 << 20, SMALL_BODY = 256 << 10 };

/* --- from the first header to the last byte ------------------------------------------ */

void *server_on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    (void)cls;
    if (!exchange)
        return NULL;
    exchange->connection = connection;
    exchange->watched = server_find_watched(connection);
    exchange->uri = strdup(uri);
    server_set_exchange(connection, exchange);
    connection_enter(exchange->watched, CONNECTION_HEAD);
    clock_gettime(CLOCK_MONOTONIC, &exchange->begin);
    return exchange;
}

static void parse_target(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    const char *prefix = exchange->server->options.prefix, *path = exchange->uri;
    size_t prefix_size = prefix ? strlen(prefix) : 0, size;

    /* The prefix stands with a slash at its end or without; the path keeps that slash. */
    while (prefix_size > 0 && prefix[prefix_size - 1] == '/')
        prefix_size--;
    size = strcspn(path, "?");
    request->uri = path;
    request->query = path[size] ? path + size + 1 : path + size;
    if (prefix_size > 0 && (size < prefix_size || memcmp(path, prefix, prefix_size) != 0 ||
                            (size > prefix_size && path[prefix_size] != '/')))
        request->route.kind = ROUTE_NONE;
    else
        route_parse_escaped(path + prefix_size, size - prefix_size, &request->route);
}

/* -1 if the body comes in chunks. */
static int64_t find_body_size(const struct request *request)
{
    const char *length = request_get_header(request, "Content-Length");
    uint64_t size;

    if (request_get_header(request, "Transfer-Encoding"))
        return -1;
    return length && range_parse_length(length, &size) == 0 ? (int64_t)size : 0;
}

static void describe_request(struct exchange *exchange, struct server *server, const char *method)
{
    struct request *request = &exchange->request;

    exchange->server = server;
    connection_enter(exchange->watched, CONNECTION_WORK);
    request->context = server->options.context;
    request->is_tls = server->options.is_tls;
    request->method_name = method;
    request->method = route_method_parse(method);
    request->body_size = find_body_size(request);
    parse_target(exchange);
    server_describe_client(exchange);
    __atomic_add_fetch(&server->under_way, 1, __ATOMIC_RELAXED);
}

/* --- workers ------------------------------------------------------------------------- */

bool server_hand_over(struct exchange *exchange, struct worker_pool *pool, uint64_t fairness_key,
                      void (*run)(struct job *job))
{
    struct server *server = exchange->server;

    exchange->job = (struct job){.run = run};
    exchange->is_suspended = true;
    MHD_suspend_connection(exchange->connection);
    __atomic_add_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&server->is_stopping, __ATOMIC_SEQ_CST) &&
        worker_pool_submit(pool, fairness_key, &exchange->job) == 0)
        return true;
    response_refuse(&exchange->response, ERROR_CODE_TOOMANYREQUESTS, NULL);
    response_add_header(&exchange->response, "Retry-After", "1");
    server_hand_back(exchange);
    return false;
}

void server_hand_back(struct exchange *exchange)
{
    struct server *server = exchange->server;

    MHD_resume_connection(exchange->connection);
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
}

static void run_answer(struct exchange *exchange)
{
    exchange->endpoint->answer(&exchange->request, &exchange->response);
    exchange->state = EXCHANGE_ANSWERED;
}

static void answer_job(struct job *job)
{
    struct exchange *exchange = exchange_of_job(job);

    run_answer(exchange);
    server_hand_back(exchange);
}

/* Runs begin(), and answer() at once where no body is to come. */
static void run_begin(struct exchange *exchange)
{
    const struct endpoint *endpoint = exchange->endpoint;

    if (endpoint->begin)
        endpoint->begin(&exchange->request, &exchange->response);
    if (exchange->response.status)
        exchange->state = EXCHANGE_REFUSED;
    else if (exchange->request.body_size == 0)
        run_answer(exchange);
    else
        exchange->state = EXCHANGE_RECEIVING;
}

static void begin_job(struct job *job)
{
    struct exchange *exchange = exchange_of_job(job);

    run_begin(exchange);
    server_hand_back(exchange);
}

static uint64_t own_key(const struct exchange *exchange)
{
    return (uint64_t)(uintptr_t)exchange;
}

/* --- the phases ---------------------------------------------------------------------- */

static void begin(struct exchange *exchange)
{
    exchange->is_admitted = true;
    exchange->endpoint = exchange->server->options.find_endpoint(&exchange->request, &exchange->response);
    if (exchange->response.status || !exchange->endpoint) {
        exchange->state = EXCHANGE_REFUSED;
    } else if (!exchange->endpoint->is_slow) {
        run_begin(exchange);
    } else {
        exchange->state = EXCHANGE_BEGINNING;
        if (!server_hand_over(exchange, exchange->server->workers, own_key(exchange), begin_job))
            exchange->state = EXCHANGE_REFUSED;
    }
}

static void admit(struct exchange *exchange, enum admission admission)
{
    switch (admission) {
    case ADMITTED:
        begin(exchange);
        break;
    case ADMISSION_PENDING:
        exchange->state = EXCHANGE_CHECKING;
        break;
    case ADMISSION_REFUSED:
        exchange->state = EXCHANGE_REFUSED;
    }
}

/*
 * Whoever is admitted could send the greater part of a manifest on each of his connections, and stop: all of the large
 * ones together have BODIES_MAX. Small ones, such as images have, are always taken. 0, -EBUSY or -ENOMEM.
 */
static int make_room(struct exchange *exchange, size_t capacity)
{
    size_t more = capacity - exchange->body_capacity, *kept = &exchange->server->bodies_kept;
    bool has_room = __atomic_add_fetch(kept, more, __ATOMIC_RELAXED) <= BODIES_MAX || capacity <= SMALL_BODY;
    char *body = has_room ? realloc(exchange->body, capacity) : NULL;

    if (!body) {
        __atomic_sub_fetch(kept, more, __ATOMIC_RELAXED);
        return has_room ? -ENOMEM : -EBUSY;
    }
    exchange->body = body;
    exchange->body_capacity = capacity;
    return 0;
}

/* The rest of the body is thrown away. */
static void refuse_for_want_of_room(struct exchange *exchange, int r)
{
    if (r == -ENOMEM) {
        response_fail_oom(&exchange->response);
    } else {
        response_refuse(&exchange->response, ERROR_CODE_TOOMANYREQUESTS, "\"too many large manifests at once\"");
        response_add_header(&exchange->response, "Retry-After", "10");
    }
    exchange->state = EXCHANGE_REFUSED;
}

static void keep_body(struct exchange *exchange, const void *data, size_t size)
{
    struct request *request = &exchange->request;
    size_t limit = exchange->endpoint->body_limit, needed = request->body_kept + size;
    int r = 0;

    if (limit == 0 || request->is_body_too_large)
        return;
    if (needed > limit) {
        request->is_body_too_large = true;
        return;
    }
    if (needed > exchange->body_capacity)
        r = make_room(exchange, needed * 2 < limit ? needed * 2 : limit);
    if (r < 0) {
        refuse_for_want_of_room(exchange, r);
        return;
    }
    memcpy(exchange->body + request->body_kept, data, size);
    request->body_kept = needed;
    request->body = (const unsigned char *)exchange->body;
}

/* False where the connection should rather end. */
static bool receive(struct exchange *exchange, const void *data, size_t size)
{
    exchange->request.received += size;
    if (exchange->state == EXCHANGE_REFUSED || exchange->state == EXCHANGE_ANSWERED) {
        exchange->thrown_away += size;
        return exchange->is_admitted || exchange->thrown_away <= THROWN_AWAY_MAX;
    }
    if (exchange->endpoint->receive)
        exchange->endpoint->receive(&exchange->request, data, size);
    else
        keep_body(exchange, data, size);
    return true;
}

static void answer(struct exchange *exchange)
{
    if (!exchange->endpoint->is_slow) {
        run_answer(exchange);
        return;
    }
    exchange->state = EXCHANGE_ANSWERING;
    if (!server_hand_over(exchange, exchange->server->workers, own_key(exchange), answer_job))
        exchange->state = EXCHANGE_ANSWERED;
}

static void note_type(void *context, const char *name, const char *value)
{
    struct exchange *exchange = context;

    if (strcmp(name, "Content-Type") == 0)
        snprintf(exchange->content_type, sizeof(exchange->content_type), "%s", value);
}

/* What the log wants to know later, when the response is gone. */
static void note_answer(struct exchange *exchange)
{
    exchange->status = exchange->response.status;
    exchange->sent = exchange->request.method == ROUTE_METHOD_HEAD ? 0 : exchange->response.size;
    exchange->failure = steal_ptr(&exchange->response.failure);
    response_for_each_header(&exchange->response, note_type, exchange);
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    response_add_header(&exchange->response, "Docker-Distribution-Api-Version", "registry/2.0");
    note_answer(exchange);
    exchange->is_answered = true;
    return response_send(exchange->connection, &exchange->response, &exchange->server->options);
}

/*
 * Whether a refusal should not wait for the body: it is long, or its sender waits for our word.
 */
static bool is_body_unwanted(const struct exchange *exchange)
{
    int64_t size = exchange->request.body_size;

    return exchange->state == EXCHANGE_REFUSED && size != 0 &&
           ((size > THROWN_AWAY_MAX && !exchange->is_admitted) || request_get_header(&exchange->request, "Expect"));
}

/* Goes on as far as it can without the body. */
static enum MHD_Result on_head(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_CHECKING)
        admit(exchange, server_admit_checked(exchange));
    else if (exchange->state == EXCHANGE_NEW)
        admit(exchange, server_admit(exchange));
    if (exchange->is_suspended)
        return MHD_YES;
    exchange->is_past_head = true;
    return is_body_unwanted(exchange) ? send_answer(exchange) : MHD_YES;
}

static enum MHD_Result on_body(struct exchange *exchange, const char *data, size_t *data_size)
{
    if (!receive(exchange, data, *data_size))
        return MHD_NO;
    *data_size = 0;
    return MHD_YES;
}

static enum MHD_Result on_end(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_RECEIVING)
        answer(exchange);
    return exchange->is_suspended ? MHD_YES : send_answer(exchange);
}

static enum MHD_Result go_on(struct exchange *exchange, const char *data, size_t *data_size)
{
    exchange->is_suspended = false;
    if (!exchange->is_past_head)
        return on_head(exchange);
    return *data_size > 0 ? on_body(exchange, data, data_size) : on_end(exchange);
}

enum MHD_Result server_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **con_cls)
{
    struct exchange *exchange = *con_cls;
    enum MHD_Result result;

    (void)connection, (void)url, (void)version;
    if (!exchange || !exchange->uri)
        return MHD_NO;
    if (!exchange->server)
        describe_request(exchange, cls, method);
    result = go_on(exchange, data, data_size);
    server_note_phase(exchange);
    return result;
}

/* --- the end ------------------------------------------------------------------------- */

void server_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct exchange *exchange = *con_cls;

    (void)cls, (void)why;
    *con_cls = NULL;
    if (!exchange)
        return;
    server_set_exchange(connection, NULL);
    connection_enter(exchange->watched, CONNECTION_IDLE);
    if (exchange->server) {
        server_report(exchange);
        if (exchange->endpoint && exchange->endpoint->release)
            exchange->endpoint->release(&exchange->request);
        __atomic_sub_fetch(&exchange->server->under_way, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&exchange->server->bodies_kept, exchange->body_capacity, __ATOMIC_RELAXED);
    }
    response_done(&exchange->response);
    secbuf_done(&exchange->password);
    free(exchange->failure);
    free(exchange->body);
    free(exchange->uri);
    free(exchange);
}
