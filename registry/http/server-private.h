#pragma once

#include "registry/http/connections.h"
#include "registry/http/loop.h"
#include "registry/http/server.h"
#include "registry/http/tls-session.h"

/* Shared by the files of the server. */

enum server_state {
    SERVER_RUNNING,
    SERVER_DRAINING, /* no new connections, and no further requests on existing ones */
    SERVER_STOPPING, /* the same, and nothing more is handed to workers */
};

struct server {
    struct server_options options;
    struct tls_context *tls; /* NULL without TLS */
    struct connections *connections;
    struct loop *loops;
    unsigned loop_count;

    /* These are atomic. */
    unsigned open;        /* connections */
    unsigned under_way;   /* requests in flight */
    unsigned handed_over; /* of these, requests that a worker has */
    enum server_state state;
};

static inline bool server_is_draining(const struct server *server)
{
    return __atomic_load_n(&server->state, __ATOMIC_RELAXED) != SERVER_RUNNING;
}

static inline bool server_is_stopping(const struct server *server)
{
    return __atomic_load_n(&server->state, __ATOMIC_SEQ_CST) == SERVER_STOPPING;
}
