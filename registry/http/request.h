#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"
#include "registry/http/head.h"
#include "registry/runtime/worker-pool.h"

/*
 * One HTTP request, from the end of its head to the end of its answer. At any moment one thread has
 * it: the connection's event thread, or a worker that runs one of the handler's phases.
 */

enum {
    REQUEST_HOST_MAX = 300,   /* host and port, in bytes */
    REQUEST_ADDRESS_MAX = 64, /* the client's address, as text */
};

struct request {
    const struct head *head;                 /* method and target are NULL in one that could not be read */
    char address[REQUEST_ADDRESS_MAX];       /* the client's; "" for a socket in the file system */
    unsigned port;
    bool is_tls;
    uint64_t received; /* bytes of the body so far */

    void *state; /* the handler's own, NULL at first */

    /* The handler sets these. */
    bool is_admitted;           /* the client may send the rest of a body that is refused */
    struct worker_pool *pool;   /* where a phase that answers HTTP_ON_WORKER runs again, */
    struct job_owner owner;     /* in whose turn, */
    unsigned delay_ms;          /* and after how long: 0 for at once */

    bool is_on_worker; /* this phase runs on a worker thread, and may wait */
};

/* A header's value, NULL if absent; borrowed, valid until the request is over. */
const char *request_get_header(const struct request *request, const char *name);

/*
 * All values of a header that may come several times, joined by ", ". 0 with the text in
 * ret_value, or -ENOENT, or -E2BIG.
 */
int request_join_header(const struct request *request, const char *name, char *ret_value, size_t size) MUST_USE;

/*
 * What the client would put before a path to come back here: "https://example.com", from the Host
 * header or a proxy's X-Forwarded-Proto and X-Forwarded-Host or Forwarded, as registry:2 does. Empty
 * (relative URLs) where these are absent or hold what is no host.
 */
void request_get_origin(const struct request *request, char *ret_origin, size_t size);

/*
 * The same for where secrets are sent: a proxy's headers count only if the proxy is trusted, else the Host header and the
 * connection itself.
 */
void request_get_own_origin(const struct request *request, bool trusts_proxy, char *ret_origin, size_t size);
