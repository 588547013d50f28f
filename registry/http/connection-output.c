/*
 * Sends bytes to the client. Bytes that the socket does not accept are moved to the connection's
 * own memory.
 */
#include <errno.h>
#include <string.h>

#include "registry/http/connection.h"

static ssize_t write_some(struct connection *connection, const void *data, size_t size, int flags)
{
    ssize_t n = connection->tls ? tls_session_write(connection->tls, data, size)
                                : event_socket_write(&connection->socket, data, size, flags);

    if (n > 0)
        connection_count(&connection->watched, (size_t)n);
    return n;
}

int connection_flush(struct connection *connection)
{
    struct backlog *output = &connection->output;

    while (output->begin < output->end) {
        ssize_t n =
            write_some(connection, output->data + output->begin, output->end - output->begin, 0);

        if (n < 0)
            return (int)n;
        output->begin += (size_t)n;
    }
    output->begin = output->end = 0;
    return 0;
}

ssize_t connection_write_some(struct connection *connection, const void *data, size_t size)
{
    return write_some(connection, data, size, 0);
}

static int keep(struct backlog *output, const char *data, size_t size)
{
    if (backlog_reserve(output, size) < 0)
        return -ENOMEM;
    memcpy(output->data + output->end, data, size);
    output->end += size;
    return -EAGAIN;
}

int connection_write(struct connection *connection, const void *data, size_t size, int flags)
{
    const char *at = data, *end = at + size;
    int r = connection_flush(connection);

    if (r < 0 && r != -EAGAIN)
        return r;
    while (r == 0 && at < end) {
        ssize_t n = write_some(connection, at, (size_t)(end - at), flags);

        if (n == -EAGAIN)
            break;
        if (n < 0)
            return (int)n;
        at += n;
    }
    return at < end ? keep(&connection->output, at, (size_t)(end - at)) : r;
}
