/*
 * Receives the body of a request for the handler, or discards it. A refused body is read for some
 * time, because many clients read the answer only after they have sent the last byte. They should
 * see the answer instead of a connection reset.
 */
#include <errno.h>

#include "registry/http/connection.h"

enum {
    /* bytes of a refused body that are read from a client that is not admitted */
    STRANGERS_BODY_MAX = 4 << 20,
    LINGER_MAX = 1 << 20,
};

bool connection_has_body(const struct connection *connection)
{
    return connection->head.body_size != 0;
}

bool connection_is_body_over(const struct connection *connection)
{
    return connection->head.body_size < 0 ? connection->chunked.state == CHUNKED_END
                                          : connection->body_left == 0;
}

bool connection_is_body_unwanted(const struct connection *connection)
{
    int64_t size = connection->head.body_size;

    return connection->head.expects_continue ||
           (size > STRANGERS_BODY_MAX && !connection->request.is_admitted);
}

static enum step refuse_chunks(struct connection *connection, int64_t failure)
{
    static const struct head_flaw malformed = {400,
                                               "the chunked encoding of the body is malformed"};
    static const struct head_flaw large = {413, "a chunk is too large"};
    static const struct head_flaw long_lines = {
        431, "the extensions or trailers of the chunked body are too long"};

    response_done(&connection->response);
    return connection_refuse(connection, failure == -EFBIG   ? &large
                                         : failure == -E2BIG ? &long_lines
                                                             : &malformed);
}

/*
 * Finds the next piece of the body in data. Returns how many bytes were consumed, or -errno like
 * chunked_decode().
 */
static int64_t decode(struct connection *connection, const char *data, size_t size,
                      struct chunked_piece *ret_piece)
{
    if (connection->head.body_size < 0)
        return chunked_decode(&connection->chunked, data, size, ret_piece);
    *ret_piece = (struct chunked_piece){
        .data = data, .size = size < connection->body_left ? size : (size_t)connection->body_left,
    };
    connection->body_left -= ret_piece->size;
    return (int64_t)ret_piece->size;
}

/*
 * Reads more. First sends "100 Continue" if that did not fit into the socket, because the client
 * waits for it.
 */
static ssize_t fill(struct connection *connection)
{
    int r = connection_flush(connection);

    return r < 0 && r != -EAGAIN ? r : connection_fill(connection);
}

/*
 * Reads the next piece of the body; its size is 0 at the end of the body. Returns STEP_ON with the
 * state unchanged if there is one. Otherwise the caller must return the result.
 */
static enum step read_piece(struct connection *connection, struct chunked_piece *ret_piece)
{
    *ret_piece = (struct chunked_piece){0};
    while (!connection_is_body_over(connection)) {
        size_t size;
        const char *data = connection_peek(connection, &size);
        int64_t taken;
        ssize_t n;

        if (size == 0) {
            n = fill(connection);
            if (n <= 0)
                return connection_wait_or_close(connection, n);
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

enum step connection_read_body(struct connection *connection)
{
    struct chunked_piece piece;
    enum step step = read_piece(connection, &piece);

    if (step != STEP_ON || connection->state != STATE_BODY)
        return step;
    if (piece.size == 0)
        return connection_go(connection, STATE_FINISH);
    connection->request.received += piece.size;
    return connection_give_piece(connection, &piece);
}

enum step connection_discard(struct connection *connection)
{
    struct chunked_piece piece;
    enum step step = read_piece(connection, &piece);

    if (step != STEP_ON || connection->state != STATE_DISCARD)
        return step;
    if (piece.size == 0)
        return connection_go(connection, STATE_ANSWER);
    connection->discarded += piece.size;
    if (connection->request.is_admitted || connection->discarded <= STRANGERS_BODY_MAX)
        return STEP_ON;
    connection->is_last = true;
    return connection_go(connection, STATE_ANSWER);
}

enum step connection_linger(struct connection *connection)
{
    size_t size;
    ssize_t n;

    connection_peek(connection, &size);
    connection_consume(connection, size);
    n = connection_fill(connection);
    if (n <= 0)
        return connection_wait_or_close(connection, n);
    connection->discarded += (size_t)n;
    return connection->discarded < LINGER_MAX ? STEP_ON : connection_go(connection, STATE_CLOSED);
}
