#pragma once

#include "registry/http/connections.h"
#include "registry/http/loop.h"
#include "registry/http/server.h"
#include "registry/http/tls-session.h"

/* Shared by the files of the server. */

struct server {
    struct server_options options;
    struct tls_context *tls; /* NULL without TLS */
    struct connections *connections;
    struct loop *loops;
    unsigned loop_count;

    /* These are atomic. */
    unsigned open;       /* connections */
    unsigned under_way; /* requests in flight */
    unsigned handed_over; /* of these, requests that a worker has */
    bool is_draining; /* no new connections, and no further requests on existing ones */
    bool is_stopping; /* nothing more is handed to workers */
};

static inline bool server_is_draining(const struct server *server)
{
    return __atomic_load_n(&server->is_draining, __ATOMIC_RELAXED);
}
