/*
 * Reads bytes from the client into a buffer that the connections of a loop share. Bytes that are
 * left at the end of a connection's turn, usually none, are moved to the connection's own memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/http/connection.h"

enum { FIRST_CAPACITY = 2048 };

/* --- backlogs -------------------------------------------------------------------------------- */

/* Wipes the bytes, because requests contain passwords. */
void backlog_done(struct backlog *backlog)
{
    if (backlog->data)
        explicit_bzero(backlog->data, backlog->capacity);
    free(backlog->data);
    *backlog = (struct backlog){0};
}

int backlog_reserve(struct backlog *backlog, size_t size)
{
    size_t used = backlog->end - backlog->begin,
           capacity = backlog->capacity ? backlog->capacity : FIRST_CAPACITY;
    struct backlog larger = {.end = used};

    if (backlog->begin > 0 && used > 0)
        memmove(backlog->data, backlog->data + backlog->begin, used);
    backlog->begin = 0;
    backlog->end = used;
    if (backlog->capacity - used >= size)
        return 0;
    while (capacity - used < size)
        capacity *= 2;
    larger.data = malloc(capacity);
    if (!larger.data)
        return -ENOMEM;
    larger.capacity = capacity;
    if (used > 0)
        memcpy(larger.data, backlog->data, used);
    backlog_done(backlog);
    *backlog = larger;
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

const char *connection_peek(const struct connection *connection, size_t *ret_size)
{
    const struct backlog *input = &connection->input;

    if (input->end > input->begin) {
        *ret_size = input->end - input->begin;
        return input->data + input->begin;
    }
    *ret_size = connection->shared_end - connection->shared_begin;
    return connection->loop->input + connection->shared_begin;
}

void connection_consume(struct connection *connection, size_t size)
{
    struct backlog *input = &connection->input;

    if (input->end > input->begin) {
        input->begin += size;
        if (input->begin == input->end)
            input->begin = input->end = 0;
    } else {
        connection->shared_begin += size;
    }
}

static ssize_t read_some(struct connection *connection, void *ret_data, size_t size)
{
    ssize_t n = connection->tls ? tls_session_read(connection->tls, ret_data, size)
                                : event_socket_read(&connection->socket, ret_data, size);

    if (n > 0)
        connection_count(&connection->watched, (size_t)n);
    return n;
}

/* Appends to the connection's own bytes. */
static ssize_t fill_backlog(struct connection *connection)
{
    struct backlog *input = &connection->input;
    ssize_t n;

    if (backlog_reserve(input, FIRST_CAPACITY) < 0)
        return -ENOMEM;
    n = read_some(connection, input->data + input->end, input->capacity - input->end);
    if (n > 0)
        input->end += (size_t)n;
    return n;
}

int connection_stash(struct connection *connection)
{
    size_t size = connection->shared_end - connection->shared_begin;
    const char *data = connection->loop->input + connection->shared_begin;

    if (size > 0) {
        if (backlog_reserve(&connection->input, size) < 0)
            return -ENOMEM;
        memcpy(connection->input.data + connection->input.end, data, size);
        connection->input.end += size;
    }
    connection->shared_begin = connection->shared_end = 0;
    return 0;
}

ssize_t connection_fill(struct connection *connection)
{
    ssize_t n;

    if (connection_stash(connection) < 0)
        return -ENOMEM;
    if (connection->input.end > connection->input.begin)
        return fill_backlog(connection);
    n = read_some(connection, connection->loop->input, LOOP_BUFFER_SIZE);
    if (n > 0)
        connection->shared_end = (size_t)n;
    return n;
}
