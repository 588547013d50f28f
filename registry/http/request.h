#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"
#include "registry/http/head.h"
#include "registry/runtime/worker-pool.h"

/*
 * One HTTP request, from the end of its head to the end of its answer. One thread at a time uses
 * it: the connection's event thread, or a worker that runs one of the handler's phases.
 */

enum {
    REQUEST_HOST_MAX = 300,   /* host and port, in bytes */
    REQUEST_ADDRESS_MAX = 64, /* the client's address, as text */
};

struct request {
    const struct head *head; /* its method and target are NULL if the head could not be parsed */
    char address[REQUEST_ADDRESS_MAX]; /* the client's; "" for a socket in the file system */
    unsigned port;
    bool is_tls;
    uint64_t received; /* bytes of the body that were received */

    void *state; /* used by the handler only; initially NULL */

    /* The handler sets these. */
    bool is_admitted;         /* if a body is refused, its rest is read without a limit */
    struct worker_pool *pool; /* runs a phase that returned HTTP_ON_WORKER, */
    struct job_owner owner;   /* in this owner's queue, */
    unsigned delay_ms;        /* after this delay */
    /*
     * For HTTP_LATER: has ready(ready_object) called once when the phase can go on, on any thread,
     * also before it returns. False, and calls nothing: it can go on now.
     */
    bool (*notify)(void *object, void (*ready)(void *object), void *ready_object);
    void *notify_object;

    bool is_on_worker; /* this phase runs on a worker thread, and may wait */
};

/* A header's value, or NULL; borrowed, valid until the request is over. */
const char *request_get_header(const struct request *request, const char *name);

/*
 * Joins all values of a header with ", ". Returns 0, -ENOENT if there is no such header, or -E2BIG
 * if the text does not fit.
 */
int request_join_header(const struct request *request, const char *name, char *ret_value,
                        size_t size) MUST_USE;

/*
 * Formats the origin of this server as the client sees it, such as "https://example.com": from the
 * Host header or a proxy's X-Forwarded-Proto and X-Forwarded-Host or Forwarded, as registry:2 does.
 * Empty (for relative URLs) if these are missing or contain no valid host.
 */
void request_get_origin(const struct request *request, char *ret_origin, size_t size);

/* Like request_get_origin(), but from the Host header and the connection only. */
void request_get_direct_origin(const struct request *request, char *ret_origin, size_t size);
