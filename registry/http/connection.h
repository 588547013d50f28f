#pragma once

#include <time.h>

#include "registry/http/chunked.h"
#include "registry/http/server-private.h"

/*
 * One connection, from accept() to close(), and the request that is under way on it. It belongs to
 * its loop's thread, except while a worker runs a phase (is_on_worker): then nobody else touches it.
 */
enum connection_state {
    STATE_HANDSHAKE, /* of TLS */
    STATE_HEAD,      /* the head of the next request arrives */
    STATE_BEGIN,     /* the handler's begin() */
    STATE_BODY,      /* the body arrives, and goes to the handler's receive() */
    STATE_DISCARD,   /* the body arrives, and is thrown away; the answer is there */
    STATE_ANSWER,    /* the handler's answer() */
    STATE_SEND,      /* the answer is sent */
    STATE_LINGER,    /* our side is closed; the client's bytes are thrown away, so that it sees the answer */
    STATE_CLOSED,
};

/* Bytes that did not go anywhere yet, in memory of their own. */
struct backlog {
    char *data;
    size_t begin, end, capacity;
};

struct connection {
    struct watched watched;
    struct loop *loop;
    struct tls_session *tls; /* NULL without TLS */
    int fd;
    enum connection_state state;
    bool is_readable, is_writable; /* epoll tells once; true until a call says EAGAIN */
    bool is_queued;                /* in loop->ready */
    bool is_on_worker;
    struct connection *next, *next_open, **before_open;
    char address[REQUEST_ADDRESS_MAX];
    unsigned port;

    /* What was read and not used yet: in the loop's input, or in input if the connection's turn is over. */
    struct backlog input;
    size_t shared_begin, shared_end; /* of loop->input, during the connection's turn */
    size_t scanned;                  /* of the head */

    /* The request. */
    struct head head;
    char *text; /* of the head */
    size_t text_capacity;
    struct request request;
    struct response response;
    struct timespec begun;
    struct chunked chunked;
    uint64_t body_left; /* where its length is known */
    uint64_t discarded;
    struct job job;
    struct backlog held;     /* the piece of the body that a worker is to receive */
    enum http_result result; /* of the handler's last phase */

    /* The answer on its way. */
    struct backlog output;
    uint64_t sent; /* of the body, that was read from its source */
    uint64_t body_size; /* 0 where none is sent */
    char content_type[64];
    unsigned status;
    bool is_last; /* the connection ends with this answer */
};

/* Takes ownership of fd. NULL where memory is out: fd is closed. On the loop's thread, as all that follow. */
struct connection *connection_new(struct loop *loop, int fd, const struct sockaddr *address);

/* Goes on as far as possible without waiting. The connection may be gone afterwards. */
void connection_run(struct connection *connection);

/* Ends it, whatever it does; not while a worker has it. */
void connection_free(struct connection *connection);

/* --- connection-input.c: what the client sends ------------------------------------------------- */

/* The bytes that are there; *ret_size is 0 where there are none. */
const char *connection_peek(const struct connection *connection, size_t *ret_size);
void connection_consume(struct connection *connection, size_t size);

/* Reads more: how many bytes, 0 at the end, -EAGAIN where none are there, or another -errno. */
ssize_t connection_fill(struct connection *connection);

/* Keeps what is left in the loop's input, since another connection's turn comes. 0 or -ENOMEM. */
int connection_stash(struct connection *connection);

/* --- connection-output.c: what it is sent --------------------------------------------------------- */

/* Makes the head of the answer and the first of its body, and begins to send. 0, -EAGAIN, or another -errno. */
int connection_send_answer(struct connection *connection);

/* Goes on with it, up to the loop's patience: 0 once all is sent, 1 where it can go on at once, -EAGAIN, or another -errno. */
int connection_send_more(struct connection *connection);

/* Sends a short text at once, such as "100 Continue". */
int connection_send_text(struct connection *connection, const char *text);

void backlog_done(struct backlog *backlog);
/* Room for size more bytes behind the end. 0 or -ENOMEM. */
int backlog_reserve(struct backlog *backlog, size_t size);
