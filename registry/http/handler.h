#pragma once

#include <stddef.h>
#include <stdint.h>

#include "registry/http/request.h"
#include "registry/http/response.h"

/*
 * The interface to the code that answers requests, in three phases: after the head of the request,
 * for each piece of its body, and after the body.
 *
 * A phase first runs on the connection's event thread, where it must not sleep, wait for a lock
 * that is held across I/O, or compute for long. If that would be necessary, the phase changes
 * nothing, sets request->pool and request->owner, and returns HTTP_ON_WORKER. It then runs again on
 * a worker thread of that pool. If a phase on a worker must wait for another request, it returns
 * HTTP_ON_WORKER with request->delay_ms, and no thread waits in the meantime.
 */
enum http_result {
    HTTP_DONE, /* the phase is over */
    /* receive() wants the rest of the body; after HTTP_DONE the rest is discarded */
    HTTP_MORE,
    HTTP_ON_WORKER, /* run this phase again on a worker */
    HTTP_LATER,     /* the same, once request->notify says so; no thread waits. Only on a worker */
};

/* How a request ended. All members are borrowed. */
struct http_end {
    unsigned status; /* of the answer; 0 if there was none */
    uint64_t sent;   /* bytes of the answer's body */
    uint64_t duration_us;
    const char *content_type; /* of the answer; NULL if it had none */
    const char *failure;      /* why the server failed; NULL if it did not */
    const char *cut;          /* why the server ended the connection; NULL if it did not */
};

struct http_handler {
    void *context;

    /* The head has arrived. A response that begin() sets is a refusal: the body is not received. */
    enum http_result (*begin)(void *context, struct request *request, struct response *response);
    /* A piece of the body; data is valid during the call. Never called for an empty body. */
    enum http_result (*receive)(void *context, struct request *request, const void *data,
                                size_t size, struct response *response);
    /* The whole body has arrived. Sets the response. */
    enum http_result (*answer)(void *context, struct request *request, struct response *response);

    /* Sets the response to a request that the transport refuses; of request, only head is valid. */
    void (*refuse)(void *context, const struct request *request, unsigned status, const char *why,
                   struct response *response);
    /* Called on the event thread when the request is over, in any case. Frees request->state. */
    void (*end)(void *context, struct request *request, const struct http_end *end);
    /*
     * Called when an event thread is about to wait or ends: writes what end() has gathered. May be
     * NULL.
     */
    void (*settle)(void *context);
    /*
     * Called once when the server stops and its time for requests in flight is over: phases that
     * compute for long on a worker should end soon. Runs on the thread that stops the server. May
     * be NULL.
     */
    void (*hurry)(void *context);
};
