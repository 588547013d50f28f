/*
 * Sends the answer. The head and a small body are sent with one call. A large body is sent with
 * sendfile(2) if it is a range of a file and TLS is off, or from the memory of its source.
 * Otherwise it is sent a block at a time, through a buffer that the connections of a loop share.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/decimal.h"
#include "registry/http/connection.h"
#include "registry/http/status.h"

enum {
    SENDFILE_MAX = 512 << 10, /* bytes between checks of the clock */
    SENDFILE_MIN = 16 << 10, /* a smaller body is sent with the head */
    BORROW_MAX = 256 << 10, /* as SENDFILE_MAX, for bytes that are copied to the socket */
};

/* The source has no bytes yet. Not -EAGAIN, which stands for a full socket. */
#define SOURCE_WAITS (-EINPROGRESS)

/* --- the head -------------------------------------------------------------------------------- */

struct writer {
    struct connection *connection;
    size_t size; /* bytes in the loop's output; more than LOOP_BUFFER_SIZE: the head does not fit */
};

static void write_bytes(struct writer *writer, const char *text, size_t size)
{
    if (writer->size + size <= LOOP_BUFFER_SIZE)
        memcpy(writer->connection->loop->output + writer->size, text, size);
    writer->size += size;
}

static void write_text(struct writer *writer, const char *text)
{
    write_bytes(writer, text, strlen(text));
}

static void write_number(struct writer *writer, uint64_t number)
{
    char digits[DECIMAL_MAX];

    write_bytes(writer, digits, decimal_format(number, 1, digits));
}

/* For the log. */
static void note_content_type(struct connection *connection, const char *value)
{
    size_t size = strnlen(value, sizeof(connection->content_type) - 1);

    memcpy(connection->content_type, value, size);
    connection->content_type[size] = '\0';
}

static void write_header(void *context, const char *name, const char *value)
{
    struct writer *writer = context;
    struct connection *connection = writer->connection;

    write_text(writer, name);
    write_bytes(writer, ": ", 2);
    write_text(writer, value);
    write_bytes(writer, "\r\n", 2);
    if (strcmp(name, "Content-Type") == 0)
        note_content_type(connection, value);
}

/*
 * RFC 9110 section 8.6: no Content-Length if the status excludes content. In a 304 it would be the
 * length of the content that the client has cached; caches that find a 0 there serve empty blobs.
 */
static bool has_length(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void write_head(struct writer *writer)
{
    struct connection *connection = writer->connection;
    const struct server_options *options = &connection->loop->server->options;
    const struct response *response = &connection->response;

    write_text(writer, "HTTP/1.1 ");
    write_number(writer, response->status);
    write_text(writer, " ");
    write_text(writer, status_get_reason(response->status));
    write_text(writer, "\r\n");
    write_text(writer, loop_get_date(connection->loop));
    if (connection->is_last)
        write_text(writer, "Connection: close\r\n");
    else if (connection->head.minor == 0)
        write_text(writer, "Connection: keep-alive\r\n");
    if (has_length(response->status)) {
        write_text(writer, "Content-Length: ");
        write_number(writer, response->size);
        write_text(writer, "\r\n");
    }
    response_for_each_header(response, write_header, writer);
    for (size_t i = 0; i < options->header_count; i++)
        write_header(writer, options->headers[i].name, options->headers[i].value);
    write_text(writer, "\r\n");
}

/* --- the body -------------------------------------------------------------------------------- */

/*
 * Appends the next bytes of the body to the size bytes in the loop's output, until the turn is
 * over: a body of many small parts needs a read for each. Returns the new size, SOURCE_WAITS or
 * -errno.
 */
static ssize_t read_block(struct connection *connection, size_t size)
{
    size_t begin = size;

    while (size < LOOP_BUFFER_SIZE && connection->sent < connection->body_size &&
           (size == begin || !loop_is_turn_over(connection->loop))) {
        uint64_t left = connection->body_size - connection->sent;
        size_t room = LOOP_BUFFER_SIZE - size;
        ssize_t n =
            response_read(&connection->response, connection->sent, connection->loop->output + size,
                          left < room ? (size_t)left : room);

        if (n == -EAGAIN) /* first what is there */
            return size > begin ? (ssize_t)size : SOURCE_WAITS;
        if (n <= 0) /* the source is shorter than the length in the head */
            return n < 0 ? n : -EIO;
        size += (size_t)n;
        connection->sent += (uint64_t)n;
    }
    return (ssize_t)size;
}

/* Returns the file that contains the body as a range, if sendfile(2) can send it; otherwise -1. */
static int find_file(const struct connection *connection, struct response_range *ret_range)
{
    const struct response_source *source = &connection->response.source;

    if (connection->tls || connection->body_size < SENDFILE_MIN || !source->get_fd ||
        !response_get_range(&connection->response, ret_range))
        return -1;
    return source->get_fd(source->object);
}

static ssize_t send_file(struct connection *connection, int file,
                         const struct response_range *range)
{
    uint64_t left = connection->body_size - connection->sent;
    ssize_t n = event_socket_send_file(&connection->socket, file, range->first + connection->sent,
                                       left < SENDFILE_MAX ? (size_t)left : SENDFILE_MAX);

    if (n <= 0)
        return n < 0 ? n : -EIO; /* the file was truncated */
    connection_count(&connection->watched, (size_t)n);
    connection->sent += (uint64_t)n;
    return n;
}

static ssize_t send_block(struct connection *connection)
{
    uint64_t before = connection->sent;
    ssize_t size = read_block(connection, 0);
    int r = size < 0 ? (int)size
                     : connection_write(connection, connection->loop->output, (size_t)size, 0);

    return r < 0 ? r : (ssize_t)(connection->sent - before);
}

/* Sends bytes from the source's own memory. -EOPNOTSUPP if it lends nothing. */
static ssize_t send_borrowed(struct connection *connection)
{
    uint64_t left = connection->body_size - connection->sent;
    const void *data;
    ssize_t n = response_borrow(&connection->response, connection->sent,
                                left < BORROW_MAX ? (size_t)left : BORROW_MAX, &data);

    if (n == -EAGAIN)
        return SOURCE_WAITS;
    if (n <= 0) /* the source is shorter than the length in the head */
        return n < 0 ? n : -EIO;
    n = connection_write_some(connection, data, (size_t)n);
    if (n > 0)
        connection->sent += (uint64_t)n;
    return n;
}

static ssize_t send_piece(struct connection *connection)
{
    ssize_t n = send_borrowed(connection);

    return n == -EOPNOTSUPP ? send_block(connection) : n;
}

/*
 * Sends more of the body. Returns 0 at its end, 1 if the connection's turn is over, SOURCE_WAITS or
 * -errno.
 */
static int send_more(struct connection *connection)
{
    struct response_range range;
    int file = find_file(connection, &range), r = connection_flush(connection);

    while (r == 0 && connection->sent < connection->body_size) {
        ssize_t n = file >= 0 ? send_file(connection, file, &range) : send_piece(connection);

        if (n == -EIO && file >= 0) { /* the source may have the bytes elsewhere, too */
            file = -1;
            continue;
        }
        if (n < 0)
            return (int)n;
        if (loop_is_turn_over(connection->loop))
            return connection->sent < connection->body_size;
    }
    return r;
}

/* Formats the head and sends it with the start of the body. 0 or -errno. */
static int send_first(struct connection *connection)
{
    struct writer writer = {.connection = connection};
    struct response_range range;
    ssize_t size;
    bool has_file, has_body;

    has_body = has_length(connection->response.status) &&
               !(connection->head.method && strcmp(connection->head.method, "HEAD") == 0);
    connection->status = connection->response.status;
    connection->sent = 0;
    connection->body_size = has_body ? connection->response.size : 0;
    write_head(&writer);
    if (writer.size > LOOP_BUFFER_SIZE)
        return -E2BIG;
    has_file = find_file(connection, &range) >= 0;
    size = has_file ? (ssize_t)writer.size : read_block(connection, writer.size);
    if (size == SOURCE_WAITS)
        size = (ssize_t)writer.size;
    if (size < 0)
        return (int)size;
    return connection_write(connection, connection->loop->output, (size_t)size,
                            has_file ? MSG_MORE : 0);
}

/* --- the states ------------------------------------------------------------------------------ */

/* Called after the answer was sent: waits for the next request, or closes the connection. */
static enum step after_answer(struct connection *connection)
{
    bool is_all_read = connection->head.method && connection_is_body_over(connection);

    connection_end_request(connection);
    if (!connection->is_last && is_all_read)
        return connection_go(connection, STATE_HEAD);
    if (connection->tls)
        tls_session_end(connection->tls);
    if (is_all_read)
        return connection_go(connection, STATE_CLOSED);
    shutdown(connection->socket.fd, SHUT_WR);
    connection->discarded = 0;
    return connection_go(connection, STATE_LINGER);
}

enum step connection_send(struct connection *connection)
{
    int r = send_more(connection);

    if (r > 0)
        return STEP_YIELD;
    if (r == SOURCE_WAITS)
        return connection_wait_for_source(connection);
    return r < 0 ? connection_wait_or_close(connection, r) : after_answer(connection);
}

enum step connection_answer(struct connection *connection)
{
    int r = send_first(connection);

    connection_go(connection, STATE_SEND);
    return r < 0 ? connection_wait_or_close(connection, r) : STEP_ON;
}
