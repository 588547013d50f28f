#pragma once

#include "registry/api/endpoint.h"

/* A call that is over; all borrowed. */
struct call_report {
    const struct call *call; /* NULL where the server refused what it could not read */
    const struct request *request;
    const char *name; /* of the operation, or NULL */
    const char *user_agent, *host; /* NULL if absent */
    const struct http_end *end;
};

/* The handler through which an HTTP server serves api, which is borrowed. */
void dispatch_init(struct api *api, struct http_handler *ret);
