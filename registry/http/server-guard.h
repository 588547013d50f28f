#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "registry/spec/framing.h"

/*
 * Stands between the bytes of clients and libmicrohttpd, which gets to see only requests that spec/framing.h accepts.
 * Any other is answered here, in the specification's form, and the connection ends. So the answers do not depend on the
 * library's version, and its own refusals, which are pages of HTML, do not occur.
 */
struct MHD_Connection;
struct server;

/* One connection's; on its event thread. */
struct guard {
    struct server *server;
    struct MHD_Connection *connection;
    int fd; /* -1: not in force */
    bool is_tls, is_over;
    struct framing framing;
};

/* Once, before the first connection. 0 or negative. */
int guard_start(struct error *err) MUST_USE;

/*
 * The guard watches its connection from here on; the other members of the guard are set. False if the descriptor is
 * beyond the limit that was in force at guard_start(); then the connection must not be served.
 */
bool guard_add(struct guard *guard) MUST_USE;

/* Before the descriptor is closed. */
void guard_remove(struct guard *guard);
