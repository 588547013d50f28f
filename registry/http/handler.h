#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/http/request.h"
#include "registry/http/response.h"

/*
 * What the server asks of whoever answers requests, in three phases: the head of the request is
 * there, a piece of its body arrived, all of the body is there.
 *
 * A phase first runs on the connection's event thread, where it must not sleep, wait for a lock
 * that is held across I/O, or compute for long. A phase that would have to answers HTTP_ON_WORKER,
 * having changed nothing, and sets request->pool and request->fairness_key; then it runs once more,
 * on a worker thread of that pool.
 */
enum http_result {
    HTTP_DONE,      /* the phase is over */
    HTTP_MORE,      /* receive(): the rest of the body is wanted; HTTP_DONE there throws the rest away */
    HTTP_ON_WORKER, /* run this phase again on a worker */
};

/* How a request ended; all borrowed. */
struct http_end {
    unsigned status;  /* of the answer; 0 where there was none */
    uint64_t sent;    /* bytes of the answer's body */
    uint64_t duration_us;
    const char *content_type; /* of the answer; NULL if it had none */
    const char *failure;      /* what went wrong on our side; NULL if nothing */
    const char *cut;          /* why this server ended the connection; NULL if it did not */
};

struct http_handler {
    void *context;

    /* The head is there. A response that begin() sets is a refusal: the body is not received. */
    enum http_result (*begin)(void *context, struct request *request, struct response *response);
    /* A piece of the body; data is valid during the call. Never called for an empty body. */
    enum http_result (*receive)(void *context, struct request *request, const void *data, size_t size,
                                struct response *response);
    /* All of the body is there. Sets the response. */
    enum http_result (*answer)(void *context, struct request *request, struct response *response);

    /* Sets the response to a request that the server refuses by itself; only request->head may be looked at. */
    void (*refuse)(void *context, const struct request *request, unsigned status, const char *why,
                   struct response *response);
    /* The request is over, whatever became of it; frees request->state. On the event thread. */
    void (*end)(void *context, struct request *request, const struct http_end *end);
};
