/*
 * What a client is sent. The head of an answer and a small body go out in one call. A large body
 * goes from the file to the socket by sendfile(2) where that is possible: without TLS, and where its
 * source is a file; otherwise a block at a time, through memory that all connections of a loop share.
 * Only what the socket does not take moves to memory of the connection's own.
 */
#include "registry/http/connection.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "registry/http/status.h"

enum {
    TURN_SIZE = 1 << 20,     /* what is sent before others have their turn */
    SENDFILE_MIN = 16 << 10, /* less goes with the head */
};

/* --- the socket ----------------------------------------------------------------------------------- */

static ssize_t send_plain(struct connection *connection, const void *data, size_t size, int flags)
{
    ssize_t n;

    do
        n = send(connection->fd, data, size, MSG_NOSIGNAL | flags);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* How many bytes were sent, or -errno. */
static ssize_t send_some(struct connection *connection, const void *data, size_t size, int flags)
{
    ssize_t n;

    if (!connection->is_writable)
        return -EAGAIN;
    n = connection->tls ? tls_session_write(connection->tls, data, size) : send_plain(connection, data, size, flags);
    if (n == -EAGAIN)
        connection->is_writable = false;
    else if (n > 0)
        connection_count(&connection->watched, (size_t)n);
    return n;
}

static int send_backlog(struct connection *connection)
{
    struct backlog *output = &connection->output;

    while (output->begin < output->end) {
        ssize_t n = send_some(connection, output->data + output->begin, output->end - output->begin, 0);

        if (n < 0)
            return (int)n;
        output->begin += (size_t)n;
    }
    output->begin = output->end = 0;
    return 0;
}

/* Sends data; what the socket does not take is kept, and 0 or -EAGAIN says whether there is any. */
static int send_or_keep(struct connection *connection, const char *data, size_t size, int flags)
{
    struct backlog *output = &connection->output;
    int r = send_backlog(connection);

    if (r < 0 && r != -EAGAIN)
        return r;
    while (r == 0 && size > 0) {
        ssize_t n = send_some(connection, data, size, flags);

        if (n == -EAGAIN)
            break;
        if (n < 0)
            return (int)n;
        data += n;
        size -= (size_t)n;
    }
    if (size == 0)
        return 0;
    if (backlog_reserve(output, size) < 0)
        return -ENOMEM;
    memcpy(output->data + output->end, data, size);
    output->end += size;
    return -EAGAIN;
}

int connection_send_text(struct connection *connection, const char *text)
{
    return send_or_keep(connection, text, strlen(text), 0);
}

/* --- the head --------------------------------------------------------------------------------------- */

struct writer {
    struct connection *connection;
    size_t size; /* of what is in the loop's output; more than LOOP_BUFFER_SIZE: it does not fit */
};

static void PRINTF_LIKE(2, 3) write_text(struct writer *writer, const char *format, ...)
{
    size_t room = writer->size < LOOP_BUFFER_SIZE ? LOOP_BUFFER_SIZE - writer->size : 0;
    va_list arguments;

    va_start(arguments, format);
    writer->size += (size_t)vsnprintf(room ? writer->connection->loop->output + writer->size : NULL, room, format, arguments);
    va_end(arguments);
}

static void write_raw(struct writer *writer, const char *text)
{
    size_t size = strlen(text);

    if (writer->size + size <= LOOP_BUFFER_SIZE)
        memcpy(writer->connection->loop->output + writer->size, text, size);
    writer->size += size;
}

static void write_header(void *context, const char *name, const char *value)
{
    struct writer *writer = context;

    write_raw(writer, name);
    write_raw(writer, ": ");
    write_raw(writer, value);
    write_raw(writer, "\r\n");
    if (strcmp(name, "Content-Type") == 0)
        snprintf(writer->connection->content_type, sizeof(writer->connection->content_type), "%s", value);
}

/* RFC 9110 section 8.6: none where there is no content by the status; a cache would take a 0 for the content's. */
static bool has_length(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void write_head(struct writer *writer)
{
    struct connection *connection = writer->connection;
    const struct server_options *options = &connection->loop->server->options;
    const struct response *response = &connection->response;

    write_text(writer, "HTTP/1.1 %u %s\r\n", response->status, status_get_reason(response->status));
    write_raw(writer, loop_get_date(connection->loop));
    if (connection->is_last)
        write_raw(writer, "Connection: close\r\n");
    else if (connection->head.minor == 0)
        write_raw(writer, "Connection: keep-alive\r\n");
    if (has_length(response->status))
        write_text(writer, "Content-Length: %ju\r\n", (uintmax_t)response->size);
    response_for_each_header(response, write_header, writer);
    for (size_t i = 0; i < options->header_count; i++)
        write_header(writer, options->headers[i].name, options->headers[i].value);
    write_raw(writer, "\r\n");
}

/* --- the body --------------------------------------------------------------------------------------- */

/* Fills the rest of the loop's output behind size bytes with the next of the body. The new size, or -errno. */
static ssize_t read_block(struct connection *connection, size_t size)
{
    while (size < LOOP_BUFFER_SIZE && connection->sent < connection->body_size) {
        uint64_t left = connection->body_size - connection->sent;
        size_t room = LOOP_BUFFER_SIZE - size;
        ssize_t n = response_read(&connection->response, connection->sent, connection->loop->output + size,
                                  left < room ? (size_t)left : room);

        if (n <= 0) /* a body that ends before its length is an error, not an end */
            return n < 0 ? n : -EIO;
        size += (size_t)n;
        connection->sent += (uint64_t)n;
    }
    return (ssize_t)size;
}

/* The file that the whole body is a range of, where the kernel can send it by itself; -1 where it cannot. */
static int find_file(const struct connection *connection, struct response_range *ret_range)
{
    const struct response_source *source = &connection->response.source;

    if (connection->tls || connection->body_size < SENDFILE_MIN || !source->get_fd ||
        !response_get_range(&connection->response, ret_range))
        return -1;
    return source->get_fd(source->object);
}

static ssize_t send_file(struct connection *connection, int fd, const struct response_range *range)
{
    off_t at = (off_t)(range->first + connection->sent);
    uint64_t left = connection->body_size - connection->sent;
    ssize_t n;

    if (!connection->is_writable)
        return -EAGAIN;
    do
        n = sendfile(connection->fd, fd, &at, left < TURN_SIZE ? (size_t)left : TURN_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        connection->is_writable = false;
    if (n <= 0)
        return n < 0 ? -errno : -EIO;
    connection_count(&connection->watched, (size_t)n);
    return n;
}

static ssize_t send_block(struct connection *connection)
{
    uint64_t before = connection->sent;
    ssize_t size = read_block(connection, 0);
    int r = size < 0 ? (int)size : send_or_keep(connection, connection->loop->output, (size_t)size, 0);

    return r < 0 ? r : (ssize_t)(connection->sent - before);
}

int connection_send_more(struct connection *connection)
{
    struct response_range range;
    int fd = find_file(connection, &range), r = send_backlog(connection);
    size_t turn = 0;

    while (r == 0 && connection->sent < connection->body_size) {
        ssize_t n = fd >= 0 ? send_file(connection, fd, &range) : send_block(connection);

        if (n < 0)
            return (int)n;
        if (fd >= 0)
            connection->sent += (uint64_t)n;
        turn += (size_t)n;
        if (turn >= TURN_SIZE)
            return connection->sent < connection->body_size;
    }
    return r;
}

int connection_send_answer(struct connection *connection)
{
    struct writer writer = {.connection = connection};
    struct response_range range;
    ssize_t size;
    bool has_file;

    connection->status = connection->response.status;
    connection->sent = 0;
    connection->body_size = connection->head.method && strcmp(connection->head.method, "HEAD") == 0
                                ? 0 : has_length(connection->status) ? connection->response.size : 0;
    write_head(&writer);
    if (writer.size > LOOP_BUFFER_SIZE)
        return -E2BIG;
    has_file = find_file(connection, &range) >= 0;
    size = has_file ? (ssize_t)writer.size : read_block(connection, writer.size);
    if (size < 0)
        return (int)size;
    return send_or_keep(connection, connection->loop->output, (size_t)size, has_file ? MSG_MORE : 0);
}
