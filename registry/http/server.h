#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "registry/access/authenticator.h"
#include "registry/access/guess-limit.h"
#include "registry/http/connections.h"
#include "registry/http/endpoint.h"

/*
 * The HTTP(S) server: libmicrohttpd's event threads, two pools of worker threads (one checks
 * passwords, one does what endpoints call slow), and the way of a request through them.
 */
struct server;

struct server_header {
    const char *name, *value;
};

/* A request that is over, whether its answer arrived or not. */
struct server_report {
    const struct request *request;
    const char *endpoint; /* NULL: none was found */
    unsigned status;      /* 0: the client went before there was an answer */
    uint64_t sent;        /* bytes of the answer's body */
    uint64_t duration_us;
    const char *user_agent;   /* NULL if absent */
    const char *host;         /* likewise */
    const char *content_type; /* of the answer; likewise */
    const char *failure;      /* likewise */
};

struct server_options {
    const char *net;     /* "tcp" or "unix" */
    const char *address; /* "host:port", ":port", or the socket's path */
    int listener;        /* the socket, if listen_open() has opened it already, and then the server's own; else 0 */
    const char *prefix;  /* before every path, "/" or "" for none */
    struct connection_limits limits;

    bool is_tls; /* with the certificate that tls_load() has loaded */
    bool is_tls13_only;
    bool demands_client;     /* a certificate, of the authorities that client_ca_load() has loaded */
    bool is_client_optional; /* but one that shows none is served, too */

    struct authenticator *authenticator; /* borrowed; NULL: everybody is admitted */
    const char *realm;
    struct guess_limit *guess_limit; /* borrowed; NULL: passwords may be guessed as fast as they can be checked */

    endpoint_finder *find_endpoint;
    void *context;                    /* for endpoints: request->context */
    void (*report)(void *context, const struct server_report *report); /* on any thread; may be NULL */
    const struct server_header *headers; /* added to every answer */
    size_t header_count;
};

/* All that the options point to is borrowed until server_stop(). 0 with *ret, or negative. */
int server_start(const struct server_options *options, struct server **ret, struct error *err);

/* The port it listens on (0 for a socket in the file system). */
unsigned server_get_port(const struct server *server);

/* How many connections there are and were, from any thread. */
void server_count_connections(const struct server *server, struct connections_counters *ret);

/*
 * Takes no new connections, waits until the requests under way are answered or timeout_ms are over,
 * then ends the rest. Frees the server; takes NULL.
 */
void server_stop(struct server *server, unsigned timeout_ms);
