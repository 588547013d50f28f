#pragma once

#include "registry/access/authenticator.h"
#include "registry/cli/serve/maintenance.h"
#include "registry/config/settings.h"
#include "registry/core/health.h"
#include "registry/http/server.h"

/*
 * The debug server of registry:2 (http.debug): /debug/health, and metrics for Prometheus if they
 * are enabled. It listens on its own address and needs no login.
 */
struct debug {
    /* All of these are borrowed. */
    struct store *store;
    struct health *health;
    const struct server *server;               /* the registry's; stop it after the debug server */
    const struct authenticator *authenticator; /* may be NULL */
    const struct metrics *metrics;
    const struct maintenance_counters *maintenance;
    const struct settings_debug *settings;
    struct connection_limits limits;
    struct listeners listeners; /* as in struct server_options */
    struct http_handler handler; /* filled by debug_start() */
};

/* 0 with *ret (free with server_stop()), or negative. */
int debug_start(struct debug *debug, struct server **ret, struct error *err);
