#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "registry/http/client-ca.h"
#include "registry/http/connections.h"
#include "registry/http/handler.h"
#include "registry/http/listen.h"

/*
 * The HTTP(S) server: event threads that pass requests through the phases of a handler. It does not
 * know routes or users.
 */
struct server;

struct server_header {
    const char *name, *value;
};

struct server_options {
    struct listeners listeners; /* the server takes ownership, also if server_start() fails */
    struct connection_limits limits;

    bool is_tls; /* with the certificate that tls_load() has loaded */
    bool is_tls13_only;
    enum client_ca_demand demand; /* by the authorities that client_ca_load() has loaded */

    const struct http_handler *handler; /* borrowed */
    const struct server_header *headers; /* added to every answer */
    size_t header_count;
};

/*
 * Everything that the options point to is borrowed until server_stop(). 0 with *ret, or negative.
 */
int server_start(const struct server_options *options, struct server **ret,
                 struct error *err) MUST_USE;

/* The port it listens on (0 for a socket in the file system). */
unsigned server_get_port(const struct server *server);

/* Gets the counters of connections. Any thread may call it. */
void server_count_connections(const struct server *server, struct connections_counters *ret);

/*
 * The number of event threads of a server: one for each processor that it may use, but at least
 * two.
 */
unsigned server_count_threads(void);

/*
 * Accepts no new connections, waits until the requests in flight are answered or timeout_ms have
 * passed, then ends the rest. Frees the server; accepts NULL. The handler's worker pools must still
 * run.
 */
void server_stop(struct server *server, unsigned timeout_ms);
