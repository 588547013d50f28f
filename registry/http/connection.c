/*
 * The way of a connection through its states. connection_run() goes on until it would have to wait:
 * for the client, for the socket, or for a worker.
 */
#include "registry/http/connection.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STRANGERS_BODY_MAX = 4 << 20, /* of a refused body that is read, so that its sender sees the answer */
    LINGER_MAX = 1 << 20,
    TURN_STEPS = 64, /* before others have their turn */
    IDLE_TEXT_MAX = 1024,
};

/* What the state machine does next. */
enum step {
    STEP_ON,    /* the next state, at once */
    STEP_WAIT,  /* until epoll or a worker tells */
    STEP_YIELD, /* at once, after other connections had their turn */
};

static const struct http_handler *handler_of(const struct connection *connection)
{
    return connection->loop->server->options.handler;
}

/* --- the beginning and the end of a connection --------------------------------------------------- */

static void describe_client(const struct sockaddr *address, struct connection *connection)
{
    static const char mapped[] = "::ffff:"; /* what an IPv4 address begins with on a socket for both */
    char host[REQUEST_ADDRESS_MAX], port[8];
    size_t skipped;

    if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
        getnameinfo(address, sizeof(struct sockaddr_in6), host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    skipped = strncmp(host, mapped, sizeof(mapped) - 1) == 0 ? sizeof(mapped) - 1 : 0;
    snprintf(connection->address, sizeof(connection->address), "%s", host + skipped);
    connection->port = (unsigned)strtoul(port, NULL, 10);
}

struct connection *connection_new(struct loop *loop, int fd, const struct sockaddr *address)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        close(fd);
        return NULL;
    }
    connection->loop = loop;
    connection->fd = fd;
    connection->is_readable = connection->is_writable = true;
    if (loop->server->tls) {
        connection->state = STATE_HANDSHAKE;
        connection->tls = tls_session_new(loop->server->tls, fd);
    } else {
        connection->state = STATE_HEAD;
    }
    if (loop->server->tls && !connection->tls) {
        close(fd);
        free(connection);
        return NULL;
    }
    describe_client(address, connection);
    connections_add(loop->server->connections, &connection->watched, fd, address);
    connection->next_open = loop->open;
    connection->before_open = &loop->open;
    if (loop->open)
        loop->open->before_open = &connection->next_open;
    loop->open = connection;
    return connection;
}

static void wipe_text(struct connection *connection)
{
    if (connection->text)
        explicit_bzero(connection->text, connection->text_capacity);
    free(connection->text);
    connection->text = NULL;
    connection->text_capacity = 0;
}

static bool has_request(const struct connection *connection)
{
    return connection->request.head;
}

static uint64_t microseconds_since(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    /* The second difference is negative where a second has begun meanwhile. */
    return (uint64_t)((int64_t)(now.tv_sec - begin->tv_sec) * 1000000 + (now.tv_nsec - begin->tv_nsec) / 1000);
}

/* Tells the handler, and forgets all of the request. */
static void end_request(struct connection *connection)
{
    struct http_end end = {
        .status = connection->status,
        .sent = connection->sent,
        .content_type = *connection->content_type ? connection->content_type : NULL,
        .failure = connection->response.failure,
        .cut = connection_get_cut(&connection->watched),
    };

    if (!has_request(connection))
        return;
    end.duration_us = microseconds_since(&connection->begun);
    handler_of(connection)->end(handler_of(connection)->context, &connection->request, &end);
    response_done(&connection->response);
    connection->request = (struct request){0};
    connection->status = 0;
    connection->sent = 0;
    connection->content_type[0] = '\0';
    if (connection->text_capacity > IDLE_TEXT_MAX)
        wipe_text(connection);
    __atomic_sub_fetch(&connection->loop->server->under_way, 1, __ATOMIC_SEQ_CST);
}

void connection_free(struct connection *connection)
{
    struct server *server = connection->loop->server;

    end_request(connection);
    connections_remove(server->connections, &connection->watched);
    *connection->before_open = connection->next_open;
    if (connection->next_open)
        connection->next_open->before_open = connection->before_open;
    tls_session_free(connection->tls);
    close(connection->fd);
    backlog_done(&connection->input);
    backlog_done(&connection->held);
    backlog_done(&connection->output);
    wipe_text(connection);
    free(connection);
    __atomic_sub_fetch(&server->open, 1, __ATOMIC_SEQ_CST);
}

static enum step enter(struct connection *connection, enum connection_state state)
{
    static const enum connection_phase phases[] = {
        [STATE_HANDSHAKE] = CONNECTION_HEAD, [STATE_HEAD] = CONNECTION_HEAD,      [STATE_BEGIN] = CONNECTION_WORK,
        [STATE_BODY] = CONNECTION_BODY,      [STATE_DISCARD] = CONNECTION_BODY,   [STATE_ANSWER] = CONNECTION_WORK,
        [STATE_SEND] = CONNECTION_ANSWER,    [STATE_LINGER] = CONNECTION_REFUSED, [STATE_CLOSED] = CONNECTION_WORK,
    };
    bool is_stranger = state == STATE_DISCARD && !connection->request.is_admitted;

    connection->state = state;
    connection_enter(&connection->watched, is_stranger ? CONNECTION_REFUSED : phases[state]);
    return STEP_ON;
}

static enum step close_now(struct connection *connection)
{
    return enter(connection, STATE_CLOSED);
}

/* What a read that gave no bytes means. */
static enum step wait_or_close(struct connection *connection, ssize_t n)
{
    return n == -EAGAIN ? STEP_WAIT : close_now(connection);
}

/* --- the handshake ------------------------------------------------------------------------------- */

static enum step shake_hands(struct connection *connection)
{
    int r = tls_session_handshake(connection->tls);

    if (r == 0)
        return enter(connection, STATE_HEAD);
    connection->is_readable = false;
    return wait_or_close(connection, r);
}

/* --- the head ------------------------------------------------------------------------------------- */

/* There is a request from here on, though it may be one that is refused. */
static void begin_request(struct connection *connection)
{
    connection->request = (struct request){
        .head = &connection->head, .port = connection->port, .is_tls = connection->tls,
    };
    memcpy(connection->request.address, connection->address, sizeof(connection->address));
    connection->is_last = server_is_draining(connection->loop->server);
    connection->discarded = 0;
    connection->chunked = (struct chunked){0};
    clock_gettime(CLOCK_MONOTONIC, &connection->begun);
    __atomic_add_fetch(&connection->loop->server->under_way, 1, __ATOMIC_SEQ_CST);
}

/* Where a request begins and ends is not certain: the answer goes out, and the connection ends. */
static enum step refuse(struct connection *connection, const struct head_flaw *flaw)
{
    handler_of(connection)->refuse(handler_of(connection)->context, &connection->request, flaw->status, flaw->text,
                                   &connection->response);
    connection->head.body_size = -1;
    connection->is_last = true;
    return enter(connection, STATE_SEND);
}

static enum step refuse_unread(struct connection *connection, const char *data, size_t size, int failure)
{
    struct head_flaw flaw;

    connection->head = (struct head){0};
    begin_request(connection);
    head_describe_failure(data, size, failure, &flaw);
    return refuse(connection, &flaw);
}

/* Copies the head to memory that stays as long as the request, and wipes it where it was: it may hold a password. */
static int keep_text(struct connection *connection, const char *data, size_t size)
{
    size_t capacity = connection->text_capacity ? connection->text_capacity : IDLE_TEXT_MAX;

    if (size > connection->text_capacity) {
        while (capacity < size)
            capacity *= 2;
        wipe_text(connection);
        connection->text = malloc(capacity);
        if (!connection->text)
            return -ENOMEM;
        connection->text_capacity = capacity;
    }
    memcpy(connection->text, data, size);
    explicit_bzero((char *)data, size);
    return 0;
}

static enum step take_head(struct connection *connection, const char *data, size_t size)
{
    struct head_flaw flaw;
    bool is_good;

    if (keep_text(connection, data, size) < 0)
        return close_now(connection);
    connection_consume(connection, size);
    connection->scanned = 0;
    is_good = head_parse(connection->text, size, &connection->head, &flaw);
    begin_request(connection);
    if (!is_good)
        return refuse(connection, &flaw);
    connection->is_last = connection->is_last || !connection->head.keeps_alive;
    connection->body_left = connection->head.body_size > 0 ? (uint64_t)connection->head.body_size : 0;
    return enter(connection, STATE_BEGIN);
}

/* Empty lines before a request do not count (RFC 9112 section 2.2). */
static void skip_empty_lines(struct connection *connection)
{
    size_t size;
    const char *data = connection_peek(connection, &size);

    while (connection->scanned == 0 && size >= 2 && data[0] == '\r' && data[1] == '\n') {
        connection_consume(connection, 2);
        data = connection_peek(connection, &size);
    }
}

static enum step read_head(struct connection *connection)
{
    const char *data;
    size_t size;
    ssize_t n;
    int end;

    skip_empty_lines(connection);
    data = connection_peek(connection, &size);
    if (size == 1 && *data == '\r')
        end = 0;
    else
        end = head_scan(data, size, &connection->scanned);
    if (end < 0)
        return refuse_unread(connection, data, size, end);
    if (end > 0)
        return take_head(connection, data, (size_t)end);
    if (connection->scanned > 0) /* until its first line is there, the connection still counts as idle */
        connection_enter(&connection->watched, CONNECTION_HEAD);
    n = connection_fill(connection);
    return n > 0 ? STEP_ON : wait_or_close(connection, n);
}

/* --- the handler's phases ------------------------------------------------------------------------- */

static enum http_result call_begin(struct connection *connection)
{
    const struct http_handler *handler = handler_of(connection);

    return handler->begin(handler->context, &connection->request, &connection->response);
}

static enum http_result call_answer(struct connection *connection)
{
    const struct http_handler *handler = handler_of(connection);

    return handler->answer(handler->context, &connection->request, &connection->response);
}

static enum http_result call_receive(struct connection *connection, const struct chunked_piece *piece)
{
    const struct http_handler *handler = handler_of(connection);

    return handler->receive(handler->context, &connection->request, piece->data, piece->size, &connection->response);
}

static bool has_body(const struct connection *connection)
{
    return connection->head.body_size != 0;
}

/* On a worker: the phase that the connection is in. */
static enum http_result run_on_worker(struct connection *connection)
{
    const struct backlog *held = &connection->held;
    enum http_result result;

    if (connection->state == STATE_BODY)
        return call_receive(connection, &(struct chunked_piece){.data = held->data, .size = held->end});
    if (connection->state == STATE_ANSWER)
        return call_answer(connection);
    result = call_begin(connection);
    if (result != HTTP_DONE || connection->response.status || has_body(connection))
        return result;
    /* Where there is no body the answer is made at once, without a way back and forth. */
    connection->state = STATE_ANSWER;
    return call_answer(connection);
}

static void run_job(struct job *job)
{
    struct connection *connection = (struct connection *)((char *)job - offsetof(struct connection, job));
    struct server *server = connection->loop->server;

    connection->request.is_on_worker = true;
    connection->result = run_on_worker(connection);
    connection->request.is_on_worker = false;
    loop_resume(connection->loop, connection);
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
}

/* Has a worker run the phase again. Where none can, the request is refused. */
static enum step hand_over(struct connection *connection)
{
    struct server *server = connection->loop->server;
    struct request *request = &connection->request;

    connection->job = (struct job){.run = run_job};
    if (connection_stash(connection) < 0)
        return close_now(connection);
    connection->is_on_worker = true;
    connection_enter(&connection->watched, CONNECTION_WORK);
    __atomic_add_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&server->is_stopping, __ATOMIC_SEQ_CST) &&
        worker_pool_submit(request->pool, request->fairness_key, &connection->job) == 0)
        return STEP_WAIT;
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    connection->is_on_worker = false;
    handler_of(connection)->refuse(handler_of(connection)->context, request, 429,
                                   "the server is busy; try again later", &connection->response);
    connection->result = HTTP_DONE;
    return STEP_ON;
}

/* --- the body --------------------------------------------------------------------------------------- */

static bool is_body_over(const struct connection *connection)
{
    return connection->head.body_size < 0 ? connection->chunked.state == CHUNKED_END : connection->body_left == 0;
}

/* The next piece of the body in what was read, without consuming it. How many bytes it took, or -errno. */
static int64_t decode(struct connection *connection, const char *data, size_t size, struct chunked_piece *ret_piece)
{
    if (connection->head.body_size < 0)
        return chunked_decode(&connection->chunked, data, size, ret_piece);
    *ret_piece = (struct chunked_piece){.data = data, .size = size < connection->body_left ? size : (size_t)connection->body_left};
    connection->body_left -= ret_piece->size;
    return (int64_t)ret_piece->size;
}

static enum step refuse_chunks(struct connection *connection, int64_t failure)
{
    static const struct head_flaw malformed = {400, "the chunked encoding of the body is malformed"};
    static const struct head_flaw large = {413, "a chunk is too large"};
    static const struct head_flaw long_lines = {431, "the extensions or trailers of the chunked body are too long"};

    response_done(&connection->response);
    return refuse(connection, failure == -EFBIG ? &large : failure == -E2BIG ? &long_lines : &malformed);
}

/*
 * The next piece of the body: STEP_ON with it, and its size is 0 at the body's end. Otherwise what to do instead.
 */
static enum step read_piece(struct connection *connection, struct chunked_piece *ret_piece)
{
    *ret_piece = (struct chunked_piece){0};
    while (!is_body_over(connection)) {
        size_t size;
        const char *data = connection_peek(connection, &size);
        int64_t taken;
        ssize_t n;

        if (size == 0) {
            n = connection_fill(connection);
            if (n <= 0)
                return wait_or_close(connection, n);
            continue;
        }
        taken = decode(connection, data, size, ret_piece);
        if (taken < 0)
            return refuse_chunks(connection, taken);
        connection_consume(connection, (size_t)taken);
        if (ret_piece->size > 0)
            return STEP_ON;
    }
    return STEP_ON;
}

/* Keeps a piece for a worker. */
static int hold_piece(struct connection *connection, const struct chunked_piece *piece)
{
    backlog_done(&connection->held);
    if (backlog_reserve(&connection->held, piece->size) < 0)
        return -ENOMEM;
    memcpy(connection->held.data, piece->data, piece->size);
    connection->held.end = piece->size;
    return 0;
}

static enum step after_receive(struct connection *connection)
{
    backlog_done(&connection->held);
    return connection->result == HTTP_DONE ? enter(connection, STATE_DISCARD) : enter(connection, STATE_BODY);
}

static enum step after_phase(struct connection *connection);

static enum step read_body(struct connection *connection)
{
    struct chunked_piece piece;
    enum step step = read_piece(connection, &piece);

    if (step != STEP_ON || connection->state != STATE_BODY)
        return step;
    if (piece.size == 0)
        return enter(connection, STATE_ANSWER);
    connection->request.received += piece.size;
    connection->result = call_receive(connection, &piece);
    if (connection->result == HTTP_ON_WORKER && hold_piece(connection, &piece) < 0)
        return close_now(connection);
    return after_phase(connection);
}

static enum step discard_body(struct connection *connection)
{
    struct chunked_piece piece;
    enum step step = read_piece(connection, &piece);

    if (step != STEP_ON || connection->state != STATE_DISCARD)
        return step;
    if (piece.size == 0)
        return enter(connection, STATE_SEND);
    connection->discarded += piece.size;
    if (connection->request.is_admitted || connection->discarded <= STRANGERS_BODY_MAX)
        return STEP_ON;
    connection->is_last = true;
    return enter(connection, STATE_SEND);
}

/* Whether a refusal should not wait for the body: it is long, or its sender waits for our word. */
static bool is_body_unwanted(const struct connection *connection)
{
    int64_t size = connection->head.body_size;

    return connection->head.expects_continue || (size > STRANGERS_BODY_MAX && !connection->request.is_admitted);
}

static enum step after_begin(struct connection *connection)
{
    if (!connection->response.status) {
        if (!has_body(connection))
            return enter(connection, STATE_ANSWER);
        if (connection->head.expects_continue &&
            connection_send_text(connection, "HTTP/1.1 100 Continue\r\n\r\n") == -EPIPE)
            return close_now(connection);
        return enter(connection, STATE_BODY);
    }
    if (!has_body(connection))
        return enter(connection, STATE_SEND);
    if (!is_body_unwanted(connection))
        return enter(connection, STATE_DISCARD);
    connection->is_last = true;
    return enter(connection, STATE_SEND);
}

/* What a phase of the handler leads to. */
static enum step after_phase(struct connection *connection)
{
    if (connection->result == HTTP_ON_WORKER) {
        enum step step = hand_over(connection);

        if (step != STEP_ON || connection->state == STATE_CLOSED)
            return step;
    }
    switch (connection->state) {
    case STATE_BEGIN:
        return after_begin(connection);
    case STATE_BODY:
        return after_receive(connection);
    default:
        return enter(connection, STATE_SEND);
    }
}

/* begin() and answer(): on this thread first, then perhaps on a worker's. */
static enum step run_handler(struct connection *connection)
{
    connection->result = connection->state == STATE_BEGIN ? call_begin(connection) : call_answer(connection);
    return after_phase(connection);
}

/* --- the answer -------------------------------------------------------------------------------------- */

/* The client must see the answer, although we have not read all that it has sent. */
static enum step linger(struct connection *connection)
{
    if (connection->tls)
        tls_session_end(connection->tls);
    shutdown(connection->fd, SHUT_WR);
    connection->discarded = 0;
    return enter(connection, STATE_LINGER);
}

static enum step after_answer(struct connection *connection)
{
    bool is_all_read = !has_request(connection) || (connection->head.method && is_body_over(connection));

    end_request(connection);
    if (!connection->is_last && is_all_read) {
        enter(connection, STATE_HEAD);
        connection_enter(&connection->watched, CONNECTION_IDLE);
        return STEP_ON;
    }
    if (!is_all_read)
        return linger(connection);
    if (connection->tls)
        tls_session_end(connection->tls);
    return close_now(connection);
}

static enum step send_answer(struct connection *connection)
{
    int r = connection->status ? connection_send_more(connection) : connection_send_answer(connection);

    if (r == 0 && connection->sent < connection->body_size)
        r = connection_send_more(connection);
    if (r > 0)
        return STEP_YIELD;
    if (r < 0)
        return wait_or_close(connection, r);
    return after_answer(connection);
}

static enum step drain(struct connection *connection)
{
    ssize_t n;

    connection_consume(connection, connection->shared_end - connection->shared_begin);
    backlog_done(&connection->input);
    n = connection_fill(connection);
    if (n <= 0)
        return wait_or_close(connection, n);
    connection->discarded += (size_t)n;
    return connection->discarded < LINGER_MAX ? STEP_ON : close_now(connection);
}

/* --- all of it ---------------------------------------------------------------------------------------- */

static enum step run_state(struct connection *connection)
{
    switch (connection->state) {
    case STATE_HANDSHAKE:
        return shake_hands(connection);
    case STATE_HEAD:
        return read_head(connection);
    case STATE_BEGIN:
    case STATE_ANSWER:
        return run_handler(connection);
    case STATE_BODY:
        return read_body(connection);
    case STATE_DISCARD:
        return discard_body(connection);
    case STATE_SEND:
        return send_answer(connection);
    case STATE_LINGER:
        return drain(connection);
    default:
        return STEP_WAIT;
    }
}

void connection_run(struct connection *connection)
{
    enum step step = STEP_ON;

    if (connection->is_on_worker) {
        connection->is_on_worker = false;
        step = after_phase(connection);
    }
    for (int steps = 0; step == STEP_ON && connection->state != STATE_CLOSED; steps++) {
        step = run_state(connection);
        if (steps >= TURN_STEPS && step == STEP_ON)
            step = STEP_YIELD;
    }
    if (connection->is_on_worker) /* and the worker's now */
        return;
    if (connection->state == STATE_CLOSED || connection_stash(connection) < 0) {
        connection_free(connection);
        return;
    }
    if (connection->state == STATE_HEAD && connection->input.end == connection->input.begin)
        backlog_done(&connection->input);
    if (step == STEP_YIELD)
        loop_requeue(connection->loop, connection);
}
