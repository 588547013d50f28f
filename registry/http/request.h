#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/macros.h"
#include "registry/spec/route.h"

/*
 * One HTTP request, from its first header to the end of the answer. At any moment one thread has
 * it: the connection's event thread, or a worker while the connection is suspended.
 */

enum {
    REQUEST_USER_MAX = 255,    /* a user's name, in bytes */
    REQUEST_HOST_MAX = 300,    /* host and port, in bytes */
    REQUEST_ADDRESS_MAX = 64,  /* the client's address, as text */
};

struct request {
    const char *method_name; /* as sent */
    unsigned method;         /* one ROUTE_METHOD_* bit of registry/spec/route.h, 0 for others */
    const char *uri;         /* path and query, as sent */
    const char *query;       /* what follows the '?', "" if none */
    struct route route;
    char user[REQUEST_USER_MAX + 1]; /* who asks, once admitted; "" without authentication */
    char address[REQUEST_ADDRESS_MAX]; /* "" for a socket in the file system */
    unsigned port;
    bool is_tls;

    /* The body: known at once, or -1 where it comes in pieces of unknown number (chunked). */
    int64_t body_size;
    uint64_t received;         /* bytes of it so far */
    const unsigned char *body; /* all of it, for endpoints with a body_limit; NULL if empty */
    size_t body_kept;          /* its size */
    bool is_body_too_large;

    void *context; /* the server's, for endpoints */
    void *state;   /* the endpoint's own, freed by its release() */
};

/* A header's value, NULL if absent; borrowed, valid until the answer is sent. */
const char *request_get_header(const struct request *request, const char *name);

/*
 * All values of a header that may come several times, joined by ", ". 0 with the text in
 * ret_value, or -ENOENT, or -E2BIG.
 */
int request_join_header(const struct request *request, const char *name, char *ret_value, size_t size) MUST_USE;

/*
 * What the client would put before a path to come back here: "https://example.com", from the Host
 * header or a proxy's X-Forwarded-Proto and X-Forwarded-Host or Forwarded, as registry:2 does. Empty
 * (relative URLs) where these are absent or hold what no host does.
 */
void request_get_origin(const struct request *request, char *ret_origin, size_t size);
