#pragma once

#include <time.h>

#include "registry/http/chunked.h"
#include "registry/http/event-socket.h"
#include "registry/http/server-private.h"

/*
 * One connection, from accept() to close(), and its current request. Its loop's thread owns it. In
 * STATE_WORKER a worker owns it, except for the socket, whose events the loop still records.
 *
 * The files: connection.c has the states and the connection's beginning and end, connection-head.c
 * the head of a request, connection-body.c its body, connection-handler.c the calls of the handler,
 * connection-answer.c the answer. All of them read through connection-input.c and write through
 * connection-output.c.
 */
enum connection_state {
    STATE_HANDSHAKE, /* of TLS */
    STATE_HEAD,      /* receives the head of the next request */
    STATE_BEGIN,     /* calls the handler's begin() */
    STATE_BODY,      /* receives the body and calls the handler's receive() */
    STATE_FINISH,    /* calls the handler's answer() */
    /* a worker runs one of these calls, or more of the answer's source is waited for */
    STATE_WORKER,
    STATE_DISCARD,   /* receives the rest of a refused body; the response is set */
    STATE_ANSWER, /* formats the head of the answer and starts to send */
    STATE_SEND,      /* sends the rest */
    /* has closed its side, and discards what the client sends so that the client sees the answer */
    STATE_LINGER,
    STATE_CLOSED,
};

/* What to do after a state function. */
enum step {
    STEP_ON,    /* run the new state now */
    STEP_WAIT, /* wait until epoll or a worker reports */
    STEP_YIELD, /* run again after the turns of other connections */
};

/* A call of the handler (registry/http/handler.h), or of the wait() of the answer's source. */
enum handler_call { CALL_BEGIN, CALL_RECEIVE, CALL_ANSWER, CALL_SOURCE };

/* Bytes that could not be processed or sent yet. */
struct backlog {
    char *data;
    size_t begin, end, capacity;
};

struct connection {
    struct watched watched;
    struct loop *loop;
    struct event_socket socket;
    struct tls_session *tls; /* NULL without TLS */
    enum connection_state state;
    struct turn turn;                /* in loop->turns */
    struct connection *next_resumed; /* in loop->resumed */
    struct connection *next_open, **before_open;
    char address[REQUEST_ADDRESS_MAX];
    unsigned port;

    /*
     * Bytes that were read but not consumed: in loop->input during the connection's turn, otherwise
     * in input.
     */
    struct backlog input;
    size_t shared_begin, shared_end; /* of loop->input */
    size_t scanned; /* bytes of the head that head_scan() has seen */

    /* The request. */
    struct head head;
    char *text; /* of the head; kept for the next request unless large */
    size_t text_capacity;
    struct request request; /* request.head is NULL between requests */
    struct response response;
    struct timespec begun;
    struct chunked chunked; /* of a body in chunks */
    uint64_t body_left;     /* of a body of known length */
    uint64_t discarded;     /* bytes, of this request */

    /* The handler's current call. */
    enum handler_call call;
    enum http_result result;
    struct backlog held; /* a piece of the body for a worker */
    struct job job;

    /* The answer. */
    struct backlog output; /* what the socket did not accept */
    uint64_t body_size;    /* of the answer's body; 0 if none is sent, as for HEAD */
    uint64_t sent; /* bytes of the body that were sent */
    char content_type[64];
    unsigned status; /* 0: none yet */
    bool is_last;    /* the connection ends with this answer */
};

/*
 * Takes ownership of fd. NULL: out of memory, and fd was closed. All functions here run on the
 * loop's thread.
 */
struct connection *connection_new(struct loop *loop, int fd, const struct sockaddr *address);

/* Runs the connection as far as possible without waiting, and may free it. Not in STATE_WORKER. */
void connection_run(struct connection *connection);

/* Continues after a worker's call. May free the connection. */
void connection_resume(struct connection *connection);

/* Ends the connection in any state but STATE_WORKER. */
void connection_free(struct connection *connection);

/* --- connection.c, for the state functions --------------------------------------------------- */

/* Changes the state, and the phase by which the watcher judges the client. Returns STEP_ON. */
enum step connection_go(struct connection *connection, enum connection_state state);

/*
 * Call it after a read or write that returned n <= 0: waits on -EAGAIN, yields on -EINTR, otherwise
 * closes.
 */
enum step connection_wait_or_close(struct connection *connection, ssize_t n);

/* Ends the request: tells the handler, and frees the request. Does nothing between requests. */
void connection_end_request(struct connection *connection);

/* --- state functions ------------------------------------------------------------------------- */

/* STATE_HEAD, connection-head.c */
enum step connection_read_head(struct connection *connection);
/* STATE_BEGIN, STATE_FINISH, connection-handler.c */
enum step connection_call_handler(struct connection *connection);
/* STATE_BODY, connection-body.c */
enum step connection_read_body(struct connection *connection);
enum step connection_discard(struct connection *connection);      /* STATE_DISCARD */
enum step connection_linger(struct connection *connection);       /* STATE_LINGER */
/* STATE_ANSWER, connection-answer.c */
enum step connection_answer(struct connection *connection);
enum step connection_send(struct connection *connection);         /* STATE_SEND */

/* --- connection-head.c ----------------------------------------------------------------------- */

/* Refuses a request whose end is not known: sends the answer, then closes the connection. */
enum step connection_refuse(struct connection *connection, const struct head_flaw *flaw);

/* Wipes and frees the text of the head, which may contain a password. */
void connection_wipe_text(struct connection *connection);

/* --- connection-handler.c -------------------------------------------------------------------- */

/* Calls receive() with a piece of the body, on this thread or on a worker. */
enum step connection_give_piece(struct connection *connection, const struct chunked_piece *piece);

/* Continues after the call in connection->call, whose result is in connection->result. */
enum step connection_after_call(struct connection *connection);

/* Waits until the source of the answer can be read again: for its notice, or by a worker. */
enum step connection_wait_for_source(struct connection *connection);

/* --- connection-body.c ----------------------------------------------------------------------- */

bool connection_has_body(const struct connection *connection);
bool connection_is_body_over(const struct connection *connection);

/*
 * Whether a refusal should not wait for the body: it is long, or its sender waits for "100
 * Continue".
 */
bool connection_is_body_unwanted(const struct connection *connection);

/* --- connection-input.c ---------------------------------------------------------------------- */

/* The bytes that were read and not consumed; *ret_size may be 0. */
const char *connection_peek(const struct connection *connection, size_t *ret_size);
void connection_consume(struct connection *connection, size_t size);

/*
 * Reads more. Returns the number of bytes, 0 at the end, or -errno; -EINTR: yield to other
 * connections first.
 */
ssize_t connection_fill(struct connection *connection);

/* Moves what is left in the loop's input to the connection's own memory. 0 or -ENOMEM. */
int connection_stash(struct connection *connection);

void backlog_done(struct backlog *backlog);
/* Makes room for size more bytes at the end. 0 or -ENOMEM. */
int backlog_reserve(struct backlog *backlog, size_t size);

/* --- connection-output.c --------------------------------------------------------------------- */

/*
 * Sends data. If the socket does not accept all of it, keeps the rest and returns -EAGAIN. 0 or
 * -errno. flags: 0 or MSG_MORE.
 */
int connection_write(struct connection *connection, const void *data, size_t size, int flags);

/*
 * Sends as much of data as the socket accepts, and keeps nothing. Call it only if connection_flush()
 * returned 0. The number of bytes, or -errno.
 */
ssize_t connection_write_some(struct connection *connection, const void *data, size_t size);

/* Sends what connection_write() kept. 0 or -errno. */
int connection_flush(struct connection *connection);
