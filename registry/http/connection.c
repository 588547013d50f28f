/*
 * The state machine of a connection, and how it is created and freed.
 *
 *     HANDSHAKE -> HEAD -> BEGIN -> BODY -> FINISH -> ANSWER -> SEND -> HEAD, LINGER or CLOSED
 *                            |        |                 ^
 *                            +--------+---> DISCARD ----+   if the handler refuses the body
 *
 * BEGIN, BODY and FINISH call the handler. A call that has to wait runs on a worker (WORKER) and
 * returns to its state.
 */
#include "registry/http/connection.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STEPS_PER_CLOCK = 4, /* steps between checks of the clock */
    IDLE_TEXT_MAX = 1024,
};

/* --- the beginning --------------------------------------------------------------------------- */

static void describe_client(const struct sockaddr *address, struct connection *connection)
{
    static const char mapped[] = "::ffff:"; /* the prefix of an IPv4 address on a socket for both */
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
    const struct tls_context *tls = loop->server->tls;
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection && tls)
        connection->tls = tls_session_new(tls, &connection->socket);
    if (!connection || (tls && !connection->tls)) {
        free(connection);
        close(fd);
        return NULL;
    }
    connection->loop = loop;
    connection->state = tls ? STATE_HANDSHAKE : STATE_HEAD;
    event_socket_init(&connection->socket, fd);
    describe_client(address, connection);
    connections_add(loop->server->connections, &connection->watched, fd, address);
    connection->turn.flow = (uint8_t)(connection->watched.client_hash % TURNS_FLOWS);
    connection->next_open = loop->open;
    connection->before_open = &loop->open;
    if (loop->open)
        loop->open->before_open = &connection->next_open;
    loop->open = connection;
    return connection;
}

/* --- the end --------------------------------------------------------------------------------- */

static uint64_t microseconds_since(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    /* The difference of the nanoseconds may be negative. */
    return (uint64_t)((int64_t)(now.tv_sec - begin->tv_sec) * 1000000 +
                      (now.tv_nsec - begin->tv_nsec) / 1000);
}

void connection_end_request(struct connection *connection)
{
    const struct http_handler *handler = connection->loop->server->options.handler;
    struct http_end end = {
        .status = connection->status,
        .sent = connection->sent,
        .content_type = *connection->content_type ? connection->content_type : NULL,
        .failure = connection->response.failure,
        .cut = connection_get_cut(&connection->watched),
    };

    if (!connection->request.head)
        return;
    end.duration_us = microseconds_since(&connection->begun);
    handler->end(handler->context, &connection->request, &end);
    response_done(&connection->response);
    connection->request.head = NULL;
    connection->status = 0;
    connection->sent = 0;
    connection->content_type[0] = '\0';
    if (connection->text_capacity > IDLE_TEXT_MAX)
        connection_wipe_text(connection);
    __atomic_sub_fetch(&connection->loop->server->under_way, 1, __ATOMIC_SEQ_CST);
}

void connection_free(struct connection *connection)
{
    struct server *server = connection->loop->server;

    connection_end_request(connection);
    connections_remove(server->connections, &connection->watched);
    *connection->before_open = connection->next_open;
    if (connection->next_open)
        connection->next_open->before_open = connection->before_open;
    tls_session_free(connection->tls);
    close(connection->socket.fd);
    backlog_done(&connection->input);
    backlog_done(&connection->held);
    backlog_done(&connection->output);
    connection_wipe_text(connection);
    free(connection);
    __atomic_sub_fetch(&server->open, 1, __ATOMIC_SEQ_CST);
}

/* --- the states ------------------------------------------------------------------------------ */

enum step connection_go(struct connection *connection, enum connection_state state)
{
    static const enum connection_phase phases[] = {
        [STATE_HANDSHAKE] = CONNECTION_HEAD, [STATE_HEAD] = CONNECTION_IDLE,
        [STATE_BEGIN] = CONNECTION_WORK,     [STATE_BODY] = CONNECTION_BODY,
        [STATE_FINISH] = CONNECTION_WORK,    [STATE_WORKER] = CONNECTION_WORK,
        [STATE_DISCARD] = CONNECTION_BODY,   [STATE_ANSWER] = CONNECTION_ANSWER,
        [STATE_SEND] = CONNECTION_ANSWER,    [STATE_LINGER] = CONNECTION_REFUSED,
        [STATE_CLOSED] = CONNECTION_WORK,
    };
    bool is_stranger = state == STATE_DISCARD && !connection->request.is_admitted;

    connection->state = state;
    connection_enter(&connection->watched, is_stranger ? CONNECTION_REFUSED : phases[state]);
    return STEP_ON;
}

enum step connection_wait_or_close(struct connection *connection, ssize_t n)
{
    if (n == -EAGAIN)
        return STEP_WAIT;
    if (n == -EINTR)
        return STEP_YIELD;
    if (n == 0 && connection->tls) /* the client has sent close_notify, and may wait for ours */
        tls_session_end(connection->tls);
    return connection_go(connection, STATE_CLOSED);
}

static enum step shake_hands(struct connection *connection)
{
    int r = tls_session_handshake(connection->tls);

    if (r < 0)
        return connection_wait_or_close(connection, r);
    connection->state = STATE_HEAD; /* handshake and first head share one time limit */
    return STEP_ON;
}

static enum step run_state(struct connection *connection)
{
    switch (connection->state) {
    case STATE_HANDSHAKE:
        return shake_hands(connection);
    case STATE_HEAD:
        return connection_read_head(connection);
    case STATE_BEGIN:
    case STATE_FINISH:
        return connection_call_handler(connection);
    case STATE_BODY:
        return connection_read_body(connection);
    case STATE_DISCARD:
        return connection_discard(connection);
    case STATE_ANSWER:
        return connection_answer(connection);
    case STATE_SEND:
        return connection_send(connection);
    case STATE_LINGER:
        return connection_linger(connection);
    default:
        return STEP_WAIT;
    }
}

static void run_from(struct connection *connection, enum step step)
{
    for (unsigned steps = 1; step == STEP_ON && connection->state != STATE_CLOSED; steps++)
        step = steps % STEPS_PER_CLOCK == 0 && loop_is_turn_over(connection->loop)
                   ? STEP_YIELD
                   : run_state(connection);
    if (connection->state == STATE_WORKER)
        return; /* it is the worker's now */
    if (connection->state == STATE_CLOSED || connection_stash(connection) < 0) {
        connection_free(connection);
        return;
    }
    if (connection->state == STATE_HEAD && connection->input.end == connection->input.begin)
        backlog_done(&connection->input);
    if (step == STEP_YIELD)
        turns_add(&connection->loop->turns, &connection->turn);
}

void connection_run(struct connection *connection)
{
    run_from(connection, STEP_ON);
}

void connection_resume(struct connection *connection)
{
    run_from(connection, connection_after_call(connection));
}
