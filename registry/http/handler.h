#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/http/request.h"
#include "registry/http/response.h"

/*
 * The code that answers requests, in three phases: after the head of the request, for each piece of its body, and after
 * the body.
 *
 * A phase first runs on the connection's event thread, where it must not sleep, wait for a lock that is held across I/O,
 * or compute for long. A phase that would have to changes nothing, sets request->pool and request->owner, and
 * returns HTTP_ON_WORKER. It then runs once more, on a worker thread of that pool. A phase that has to wait for another
 * request finds that out on a worker, and does the same with request->delay_ms: no thread waits meanwhile.
 */
enum http_result {
    HTTP_DONE,      /* the phase is over */
    HTTP_MORE,      /* receive() wants the rest of the body; after HTTP_DONE the rest is discarded */
    HTTP_ON_WORKER, /* run this phase again on a worker */
};

/* How a request ended. All members are borrowed. */
struct http_end {
    unsigned status;  /* of the answer; 0 if there was none */
    uint64_t sent;    /* bytes of the answer's body */
    uint64_t duration_us;
    const char *content_type; /* of the answer; NULL if it had none */
    const char *failure;      /* what went wrong on our side; NULL if nothing */
    const char *cut;          /* why this server ended the connection; NULL if it did not */
};

struct http_handler {
    void *context;

    /* The head has arrived. A response that begin() sets is a refusal: the body is not received. */
    enum http_result (*begin)(void *context, struct request *request, struct response *response);
    /* A piece of the body; data is valid during the call. Never called for an empty body. */
    enum http_result (*receive)(void *context, struct request *request, const void *data, size_t size,
                                struct response *response);
    /* The whole body has arrived. Sets the response. */
    enum http_result (*answer)(void *context, struct request *request, struct response *response);

    /* Sets the response to a request that the server refuses by itself; only request->head may be looked at. */
    void (*refuse)(void *context, const struct request *request, unsigned status, const char *why,
                   struct response *response);
    /* The request is over, whatever became of it; frees request->state. On the event thread. */
    void (*end)(void *context, struct request *request, const struct http_end *end);
    /* An event thread is about to wait, or ends: writes what end() has gathered. May be NULL. */
    void (*settle)(void *context);
    /*
     * The server stops, and has waited for requests as long as it does: phases that compute for long on a worker should
     * end soon. Called once, on the thread that stops the server. May be NULL.
     */
    void (*hurry)(void *context);
};
