#pragma once

#include "common/digest.h"
#include "common/secbuf.h"
#include "registry/access/access.h"
#include "registry/api/client-address.h"
#include "registry/core/store.h"
#include "registry/http/handler.h"
#include "registry/spec/route.h"

struct api;
struct call;

/*
 * Answers one kind of request in the three phases of registry/http/handler.h. A phase that must
 * wait (directories, fsync, locks) or compute for long moves to a worker with call_move().
 */
struct endpoint {
    /*
     * Called before the body. May set a response; then the body is not read. NULL: nothing to do.
     */
    enum http_result (*begin)(struct call *call, struct response *response);

    /*
     * Called for each piece of the body. NULL: the body is kept up to body_limit bytes and
     * discarded beyond.
     */
    enum http_result (*receive)(struct call *call, const void *data, size_t size);
    size_t body_limit;

    /* Sets the response. */
    enum http_result (*answer)(struct call *call, struct response *response);

    /* Frees call->state, also if the client disconnected in any phase. May be NULL. */
    void (*release)(struct call *call);
};

/*
 * The credentials of a client (registry/api/credentials.h). A part that it did not send has no
 * data.
 */
struct credentials {
    struct secbuf user, password;
    struct secbuf bearer; /* an access token */
};

/* A request to the API, from the end of its head to the end of its answer. */
struct call {
    struct api *api;
    struct request *request;
    const struct operation *operation; /* NULL: the route has none for the method */
    const char *method_name, *uri, *query; /* as sent; query is the text after '?', or "" */
    /* one ROUTE_METHOD_* bit of registry/spec/route.h, 0 for others */
    unsigned method;
    struct route route;
    /* the path does not begin with http.prefix; only public routes are served there */
    bool is_outside_prefix;
    char address[REQUEST_ADDRESS_MAX]; /* the client's: see client_address_find() */
    enum client_path path;             /* where the address comes from */
    struct principal principal;
    bool has_owner;
    struct job_owner owner; /* in whose queue its jobs wait: see fairness_get_owner() */
    unsigned parked_ms;     /* how long it has waited for another request */
    bool is_admitted;
    bool is_new_tags_only; /* the principal may push, but not replace a tag */
    bool may_mount;        /* a blob from the repository that the query names */
    struct credentials credentials; /* empty after the check */

    /* The body of an endpoint with a body_limit. */
    const unsigned char *body; /* NULL if empty */
    size_t body_kept;
    bool is_body_too_large;
    char *kept;
    size_t kept_capacity;

    void *state; /* the endpoint's own, freed by its release() */
};

/* A header's value, NULL if absent; borrowed, valid until the call is over. */
static inline const char *call_get_header(const struct call *call, const char *name)
{
    return request_get_header(call->request, name);
}

/*
 * The origin of this server for URLs to which clients send secrets: a proxy's headers count only if
 * the proxy is trusted.
 */
static inline void call_get_origin(const struct call *call, char *ret_origin, size_t size)
{
    if (call->path == CLIENT_DIRECT)
        request_get_direct_origin(call->request, ret_origin, size);
    else
        request_get_origin(call->request, ret_origin, size);
}

/* The length of the body in bytes; -1 if it is chunked. */
static inline int64_t call_get_body_size(const struct call *call)
{
    return call->request->head->body_size;
}

/*
 * Whether this phase runs on a worker. If not: "if (!call_is_on_worker(call)) return
 * call_move(call);"
 */
static inline bool call_is_on_worker(const struct call *call)
{
    return call->request->is_on_worker;
}
enum http_result call_move(struct call *call);

/*
 * Has a phase that is on a worker repeated there once notify() says so. No thread waits in the
 * meantime: "return call_wait(call, notify, object);"
 */
enum http_result call_wait(struct call *call,
                           bool (*notify)(void *object, void (*ready)(void *object),
                                          void *ready_object),
                           void *object);

/* Lets the answer's source wait on the pool for that. To be called in the last phase. */
void call_stream(struct call *call);

/* Whether the store may wait on this thread. */
static inline enum store_waiting call_may_wait(const struct call *call)
{
    return call_is_on_worker(call) ? STORE_MAY_WAIT : STORE_MUST_NOT_WAIT;
}

/*
 * Like call_move(), for work that computes for long, such as parsing a large manifest. A few
 * threads of low priority do it, so that it does not delay others. From there, call_move() moves on
 * to a worker that may wait.
 */
enum http_result call_move_to_computer(struct call *call);

/* The same, for work that reads nothing from the storage: it does not wait for one that hangs. */
enum http_result call_move_to_signer(struct call *call);
bool call_is_on_computer(const struct call *call);

/* Like call_move_to_computer(), but moves to a worker if the storage is remote, where reading waits. */
enum http_result call_move_to_reader(struct call *call);

/* The user, for events; NULL without a login. Borrowed, valid until the call is over. */
static inline const char *call_get_actor(const struct call *call)
{
    return *call->principal.name ? call->principal.name : NULL;
}

/*
 * For a phase on a worker that needs something that another request holds. The phase runs again
 * later, and no worker waits in the meantime. After a second in total call_may_park() returns
 * false.
 */
bool call_may_park(const struct call *call);
enum http_result call_park(struct call *call);
