/*
 * Receives and parses the head of a request, until the request can be handled or must be refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/http/connection.h"

enum { FIRST_CAPACITY = 1024 };

static void begin_request(struct connection *connection)
{
    connection->request = (struct request){
        .head = &connection->head, .port = connection->port, .is_tls = connection->tls,
    };
    memcpy(connection->request.address, connection->address, sizeof(connection->address));
    connection->is_last = server_is_draining(connection->loop->server);
    connection->discarded = 0;
    connection->chunked = (struct chunked){0};
    connection->body_left = 0;
    clock_gettime(CLOCK_MONOTONIC, &connection->begun);
    __atomic_add_fetch(&connection->loop->server->under_way, 1, __ATOMIC_SEQ_CST);
}

enum step connection_refuse(struct connection *connection, const struct head_flaw *flaw)
{
    const struct http_handler *handler = connection->loop->server->options.handler;

    handler->refuse(handler->context, &connection->request, flaw->status, flaw->text,
                    &connection->response);
    connection->head.body_size = -1; /* unknown, so the connection lingers after the answer */
    connection->is_last = true;
    return connection_go(connection, STATE_ANSWER);
}

static enum step refuse_unread(struct connection *connection, const char *data, size_t size,
                               int failure)
{
    struct head_flaw flaw;

    connection->head = (struct head){0};
    begin_request(connection);
    head_describe_failure(data, size, failure, &flaw);
    return connection_refuse(connection, &flaw);
}

void connection_wipe_text(struct connection *connection)
{
    if (connection->text)
        explicit_bzero(connection->text, connection->text_capacity);
    free(connection->text);
    connection->text = NULL;
    connection->text_capacity = 0;
}

/*
 * Copies the head to memory that lives as long as the request. Wipes the original, which may
 * contain a password.
 */
static int keep_text(struct connection *connection, const char *data, size_t size)
{
    size_t capacity = FIRST_CAPACITY;

    if (size > connection->text_capacity) {
        while (capacity < size)
            capacity *= 2;
        connection_wipe_text(connection);
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
        return connection_go(connection, STATE_CLOSED);
    connection_consume(connection, size);
    connection->scanned = 0;
    is_good = head_parse(connection->text, size, &connection->head, &flaw);
    begin_request(connection);
    if (!is_good)
        return connection_refuse(connection, &flaw);
    connection->is_last = connection->is_last || !connection->head.keeps_alive;
    connection->body_left =
        connection->head.body_size > 0 ? (uint64_t)connection->head.body_size : 0;
    return connection_go(connection, STATE_BEGIN);
}

/* RFC 9112 section 2.2: empty lines before a request are ignored. */
static void skip_empty_lines(struct connection *connection)
{
    size_t size;
    const char *data = connection_peek(connection, &size);

    while (connection->scanned == 0 && size >= 2 && data[0] == '\r' && data[1] == '\n') {
        connection_consume(connection, 2);
        data = connection_peek(connection, &size);
    }
}

enum step connection_read_head(struct connection *connection)
{
    const char *data;
    size_t size;
    ssize_t n;
    int end;

    skip_empty_lines(connection);
    data = connection_peek(connection, &size);
    if (size == 1 && *data == '\r')
        end = 0; /* the CR of an empty line whose LF has not arrived */
    else
        end = head_scan(data, size, &connection->scanned);
    if (end < 0)
        return refuse_unread(connection, data, size, end);
    if (end > 0)
        return take_head(connection, data, (size_t)end);
    /* the connection counts as idle until the request line has arrived */
    if (connection->scanned > 0)
        connection_enter(&connection->watched, CONNECTION_HEAD);
    n = connection_fill(connection);
    return n > 0 ? STEP_ON : connection_wait_or_close(connection, n);
}
