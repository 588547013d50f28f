#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <time.h>

#include "common/secbuf.h"
#include "registry/http/connections.h"
#include "registry/http/request.h"
#include "registry/http/response.h"
#include "registry/http/server-handshake.h"
#include "registry/http/server.h"
#include "registry/runtime/worker-pool.h"

/* What the files of this folder share: a request on its way. */

enum exchange_state {
    EXCHANGE_NEW,        /* the head has been read */
    EXCHANGE_CHECKING,   /* a worker checks the password */
    EXCHANGE_BEGINNING,  /* a worker runs begin(), and answer() too where there is no body */
    EXCHANGE_RECEIVING,  /* the body arrives */
    EXCHANGE_REFUSED,    /* the body arrives and is thrown away; the answer is there */
    EXCHANGE_ANSWERING,  /* a worker runs answer() */
    EXCHANGE_ANSWERED,   /* the answer can be sent */
};

struct exchange {
    struct request request; /* first: one is the other */
    struct server *server;
    struct MHD_Connection *connection;
    struct connection *watched; /* the same one; NULL where memory was out */
    enum exchange_state state;
    bool is_admitted;
    bool is_past_head; /* what is called next is for the body, or for its end */
    bool is_answered; /* the answer is libmicrohttpd's to send */
    bool is_suspended; /* in this call: the event thread's own note, since a worker may be done at once */
    const struct endpoint *endpoint;
    struct response response;
    struct job job; /* what a worker is to do while the connection is suspended */
    char *uri;
    char *body;
    size_t body_capacity;
    uint64_t thrown_away;
    unsigned status; /* what was sent */
    uint64_t sent;
    char *failure;
    char content_type[64];
    struct timespec begin;
    struct secbuf password; /* from the Authorization header until it is checked */
};

struct server {
    struct server_options options;
    struct MHD_Daemon *daemon;
    struct handshakes *handshakes; /* NULL without TLS */
    struct connections *connections;
    struct worker_pool *checkers; /* passwords: bcrypt */
    struct worker_pool *workers;  /* folders and fsync */
    /* These are atomic. */
    unsigned under_way;   /* requests that are not over */
    unsigned handed_over; /* of them, those whose connection waits for a worker */
    bool is_stopping;     /* nothing is handed over any more */
    size_t bodies_kept;   /* bytes of bodies that endpoints want whole */

    unsigned port;
    pthread_t starter;   /* who called server_start() */
    char complaint[256]; /* libmicrohttpd's last one to him */
};

/* Whether to go on, wait for a worker (the connection is suspended), or answer at once. */
enum admission { ADMITTED, ADMISSION_PENDING, ADMISSION_REFUSED };

/* On an event thread, once, when the head has been read. */
enum admission server_admit(struct exchange *exchange);

/* After the worker: what it found out. */
enum admission server_admit_checked(struct exchange *exchange);

/*
 * Suspends the connection and has a worker run job; the connection goes on when that is done. False
 * where the queue is full: the connection goes on at once, and a response is set.
 */
bool server_hand_over(struct exchange *exchange, struct worker_pool *pool, uint64_t fairness_key,
                      void (*run)(struct job *job));

static inline struct exchange *exchange_of_job(struct job *job)
{
    return (struct exchange *)((char *)job - offsetof(struct exchange, job));
}

/* The last act of a worker: the connection goes on, and the exchange is the event thread's again. */
void server_hand_back(struct exchange *exchange);

/* Tells server_options.report of one that is over. */
void server_report(const struct exchange *exchange);

/* What libmicrohttpd calls. */
void *server_on_uri(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result server_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **con_cls);
void server_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode why);

/* The connection's own, borrowed; a session only with TLS. */
int server_get_fd(struct MHD_Connection *connection);
struct gnutls_session_int *server_get_session(struct MHD_Connection *connection);

/* What hangs on a connection; NULL where memory was out, or no request is under way. */
struct connection *server_find_watched(struct MHD_Connection *connection);
struct exchange *server_find_exchange(struct MHD_Connection *connection);
void server_set_exchange(struct MHD_Connection *connection, struct exchange *exchange);

/* What libmicrohttpd calls for connections, and what the server says of them. */
void server_describe_client(struct exchange *exchange);
void server_note_phase(struct exchange *exchange);
enum MHD_Result server_on_accept(void *cls, const struct sockaddr *address, socklen_t size);
void server_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);
