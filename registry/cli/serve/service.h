#pragma once

#include <time.h>

#include "registry/api/api.h"
#include "registry/api/dispatch.h"
#include "registry/api/page-state.h"
#include "registry/cli/serve/certificates.h"
#include "registry/cli/serve/confined.h"
#include "registry/cli/serve/debug-server.h"
#include "registry/cli/serve/logins.h"
#include "registry/cli/serve/maintenance.h"
#include "registry/cli/serve/upload-purging.h"
#include "registry/config/settings.h"
#include "registry/http/listen.h"
#include "registry/http/server.h"

/*
 * A running registry: log, listening sockets, certificates, users, storage, worker pools and
 * servers, as the settings say. For the main thread. Initialize it with zeros; stop it also after a
 * failed start.
 */
struct service {
    const struct settings *settings; /* borrowed */

    struct listeners listeners, debug_listeners; /* until the servers own them */
    struct confined confined;

    struct certificates *certificates; /* NULL: no TLS */
    struct logins logins;
    struct bucket *bucket; /* until the store owns it; NULL: the data is in a directory */
    struct store *store;
    struct health *health;
    struct pull_log *pulls; /* NULL: neither a rule nor the page needs the time of a pull */
    struct page_state *page; /* NULL: no page */
    struct maintenance maintenance;

    struct worker_pool *workers, *computers;
    struct worker_pool *streams, *readers; /* NULL: the storage is not remote */
    struct metrics *metrics;
    struct api api;
    struct http_handler handler;
    struct server_header *headers;
    struct server *server;
    struct debug debug;
    struct server *debug_server; /* NULL: not configured */
};

/* configuration is the file's path for the log, or NULL. 0 or negative. */
int service_start(struct service *service, const struct settings *settings,
                  const char *configuration, struct error *err) MUST_USE;

/* Reads certificates, users and rules again, whether they have changed or not. */
void service_reload(struct service *service);

/*
 * Call it every few seconds: it loads changed certificates and drops what the page needs no more.
 * Waits for local files only.
 */
void service_tick(struct service *service);

/*
 * Accepts no new requests, waits for those in flight as the settings say, and frees everything.
 * After the time of the settings it no longer waits for a storage that is not local.
 */
void service_stop(struct service *service);
