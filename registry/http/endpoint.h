#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "registry/http/request.h"
#include "registry/http/response.h"

/*
 * What answers one kind of request, in three phases: the head of the request is there, its body
 * arrives, all of it is there. begin() and answer() run on a worker thread where is_slow says so
 * (folder work, fsync), otherwise on an event thread, which they must not hold up.
 */
struct endpoint {
    const char *name; /* for metrics and the log, as registry:2 names it */

    /* Before the body; may set a response, which refuses: the body is thrown away. May be NULL. */
    void (*begin)(struct request *request, struct response *response);

    /* A piece of the body, always on an event thread; NULL: kept up to body_limit, then thrown away. */
    void (*receive)(struct request *request, const void *data, size_t size);
    size_t body_limit;

    /* Sets the response. */
    void (*answer)(struct request *request, struct response *response);

    /* Frees request->state, also that of a client that went away at any moment. May be NULL. */
    void (*release)(struct request *request);

    bool is_slow;
};

/*
 * Finds the endpoint of request->route and request->method; sets the response instead where there
 * is none (404, 405). *ret_name is for the log in either case.
 */
typedef const struct endpoint *endpoint_finder(struct request *request, struct response *response);
