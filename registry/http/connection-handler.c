/*
 * Calls the handler. Each call first runs on the event thread. If it would have to wait, it returns
 * HTTP_ON_WORKER and is repeated on a worker, or HTTP_LATER and is repeated once it can go on.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "registry/http/connection.h"

static const struct http_handler *handler_of(const struct connection *connection)
{
    return connection->loop->server->options.handler;
}

static enum http_result call_begin_or_answer(struct connection *connection)
{
    const struct http_handler *handler = handler_of(connection);

    return (connection->call == CALL_BEGIN ? handler->begin : handler->answer)(
        handler->context, &connection->request, &connection->response);
}

static enum http_result call_receive(struct connection *connection, const char *data, size_t size)
{
    const struct http_handler *handler = handler_of(connection);

    return handler->receive(handler->context, &connection->request, data, size,
                            &connection->response);
}

static void refuse_busy(struct connection *connection, const char *why)
{
    const struct http_handler *handler = handler_of(connection);

    handler->refuse(handler->context, &connection->request, 429, why, &connection->response);
    connection->result = HTTP_DONE;
}

/* --- on a worker ----------------------------------------------------------------------------- */

static void repeat_call(struct connection *connection)
{
    connection->request.is_on_worker = true;
    if (connection->call == CALL_RECEIVE)
        connection->result = call_receive(connection, connection->held.data, connection->held.end);
    else
        connection->result = call_begin_or_answer(connection);
    /* A request without a body is answered by the same worker, which saves a hand-over. */
    if (connection->call == CALL_BEGIN && connection->result == HTTP_DONE &&
        !connection->response.status && !connection_has_body(connection)) {
        connection->call = CALL_ANSWER;
        connection->result = call_begin_or_answer(connection);
    }
    connection->request.is_on_worker = false;
}

/* A server that stops does not start new work. */
static void run_call(struct connection *connection)
{
    const struct response_source *source = &connection->response.source;
    bool is_stopping = server_is_stopping(connection->loop->server);

    if (connection->call == CALL_SOURCE) {
        if (!is_stopping)
            source->wait(source->object);
    } else if (is_stopping) {
        refuse_busy(connection, "the server is stopping");
    } else {
        repeat_call(connection);
    }
}

static void run_job(struct job *job)
{
    struct connection *connection =
        (struct connection *)((char *)job - offsetof(struct connection, job));
    struct server *server = connection->loop->server;

    run_call(connection);
    loop_resume(connection->loop, connection);
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
}

/* Submits the call to the worker pool. 0, or -EAGAIN if the queue is full. */
static int submit(struct connection *connection)
{
    struct server *server = connection->loop->server;
    const struct request *request = &connection->request;

    connection->job = (struct job){.run = run_job};
    __atomic_add_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    if (!server_is_stopping(server) && worker_pool_submit(request->pool, &request->owner,
                                                          request->delay_ms, &connection->job) == 0)
        return 0;
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    return -EAGAIN;
}

static enum step after_result(struct connection *connection);

/* Lets a worker repeat the call, or refuses the request if the queue is full. */
static enum step hand_over(struct connection *connection)
{
    if (connection_stash(connection) < 0)
        return connection_go(connection, STATE_CLOSED);
    connection_go(connection, STATE_WORKER);
    if (submit(connection) == 0)
        return STEP_WAIT;
    refuse_busy(connection, "the server is busy; try again later");
    return after_result(connection);
}

/* The connection does not belong to this thread after loop_resume(). */
static void on_ready(void *object)
{
    struct connection *connection = object;
    struct server *server = connection->loop->server;

    loop_resume(connection->loop, connection);
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
}

typedef bool notify_function(void *object, void (*ready)(void *object), void *ready_object);

/* Returns whether notify() is going to have on_ready() called, or has. */
static bool ask_for_notice(struct connection *connection, notify_function *notify, void *object)
{
    struct server *server = connection->loop->server;

    if (!notify || server_is_stopping(server))
        return false;
    __atomic_add_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    if (notify(object, on_ready, connection))
        return true;
    __atomic_sub_fetch(&server->handed_over, 1, __ATOMIC_SEQ_CST);
    return false;
}

/* Repeats the call on a worker once its handler is told that it can go on. */
static enum step wait_for_notice(struct connection *connection)
{
    const struct request *request = &connection->request;

    if (connection_stash(connection) < 0)
        return connection_go(connection, STATE_CLOSED);
    connection->result = HTTP_ON_WORKER;
    connection_go(connection, STATE_WORKER);
    return ask_for_notice(connection, request->notify, request->notify_object)
               ? STEP_WAIT
               : hand_over(connection);
}

enum step connection_wait_for_source(struct connection *connection)
{
    const struct response_source *source = &connection->response.source;

    if (connection_stash(connection) < 0)
        return connection_go(connection, STATE_CLOSED);
    connection->call = CALL_SOURCE;
    connection_go(connection, STATE_WORKER);
    if (ask_for_notice(connection, source->notify, source->object))
        return STEP_WAIT;
    /* The head was sent, so a busy server can only end the connection. */
    return submit(connection) == 0 ? STEP_WAIT : connection_go(connection, STATE_CLOSED);
}

/* --- after a call ---------------------------------------------------------------------------- */

static enum step after_begin(struct connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool is_refused = connection->response.status, has_body = connection_has_body(connection);

    if (is_refused && has_body && !connection_is_body_unwanted(connection))
        return connection_go(connection, STATE_DISCARD);
    if (is_refused) {
        connection->is_last = connection->is_last || has_body;
        return connection_go(connection, STATE_ANSWER);
    }
    if (has_body && connection->head.expects_continue) {
        int r = connection_write(connection, go_on, sizeof(go_on) - 1, 0);

        if (r < 0 && r != -EAGAIN)
            return connection_go(connection, STATE_CLOSED);
    }
    return connection_go(connection, has_body ? STATE_BODY : STATE_FINISH);
}

static enum step after_result(struct connection *connection)
{
    switch (connection->call) {
    case CALL_BEGIN:
        return after_begin(connection);
    case CALL_RECEIVE:
        backlog_done(&connection->held);
        return connection_go(connection,
                             connection->result == HTTP_DONE ? STATE_DISCARD : STATE_BODY);
    default:
        return connection_go(connection, STATE_ANSWER);
    }
}

enum step connection_after_call(struct connection *connection)
{
    if (connection->call == CALL_SOURCE)
        return connection_go(connection, STATE_SEND);
    if (connection->result == HTTP_LATER)
        return wait_for_notice(connection);
    return connection->result == HTTP_ON_WORKER ? hand_over(connection) : after_result(connection);
}

enum step connection_call_handler(struct connection *connection)
{
    connection->call = connection->state == STATE_BEGIN ? CALL_BEGIN : CALL_ANSWER;
    connection->result = call_begin_or_answer(connection);
    return connection_after_call(connection);
}

/* Copies a piece for a worker. 0 or -ENOMEM. */
static int hold_piece(struct connection *connection, const struct chunked_piece *piece)
{
    backlog_done(&connection->held);
    if (backlog_reserve(&connection->held, piece->size) < 0)
        return -ENOMEM;
    memcpy(connection->held.data, piece->data, piece->size);
    connection->held.end = piece->size;
    return 0;
}

enum step connection_give_piece(struct connection *connection, const struct chunked_piece *piece)
{
    connection->call = CALL_RECEIVE;
    connection->result = call_receive(connection, piece->data, piece->size);
    if (connection->result == HTTP_ON_WORKER && hold_piece(connection, piece) < 0)
        return connection_go(connection, STATE_CLOSED);
    return connection_after_call(connection);
}
