#pragma once

#include "registry/config/settings.h"
#include "registry/core/store.h"
#include "registry/http/server.h"

/*
 * The debug server, on an address of its own and without authentication, as registry:2 has it (http.debug):
 * /debug/health, and Prometheus' metrics where they are enabled.
 */
struct debug {
    struct store *store;                       /* borrowed, as all of these */
    const struct server *server;               /* the registry's; to be stopped later than the debug server */
    const struct authenticator *authenticator; /* may be NULL */
    const struct settings_debug *settings;
    struct connection_limits limits;
    int listener; /* as in struct server_options */
    struct http_handler handler; /* its own */
};

/* 0 with *ret (free with server_stop()), or negative. */
int debug_start(struct debug *debug, struct server **ret, struct error *err);
