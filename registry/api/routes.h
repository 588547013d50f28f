#pragma once

#include "registry/api/endpoint.h"

/*
 * The table of operations: for each route and method an endpoint, a name for metrics and the log,
 * and the right that a client needs.
 */
enum operation_need {
    NEED_NOTHING, /* public */
    NEED_ANYONE, /* a login is not required, but checked if there is one */
    NEED_LOGIN,
    NEED_PULL,
    NEED_PUSH, /* and pull; a mount also needs pull in the source repository */
    NEED_DELETE,
    /* to cancel an upload: registry:2 calls it delete, but the right to push is enough */
    NEED_CANCEL,
    NEED_CATALOG,
};

struct operation {
    enum route_kind kind;
    int methods; /* ROUTE_METHOD_* bits, or OPERATION_ANY_METHOD */
    enum operation_need need;
    const char *handler; /* for metrics and the log */
    const struct endpoint *endpoint;
};

enum { OPERATION_ANY_METHOD = -1 };

/* Returns the operation of a route and a method, or NULL. */
const struct operation *routes_find(enum route_kind kind, unsigned method);

/*
 * Lists the handlers' names, which are registry:2's, and returns their number. The first name is
 * for requests without a handler. routes_find_handler() returns an index of that list.
 */
enum { ROUTES_HANDLERS_MAX = 16 };
size_t routes_list_handlers(const char *ret_names[ROUTES_HANDLERS_MAX]);
size_t routes_find_handler(enum route_kind kind);

/* Whether the route has any operation. */
bool routes_is_known(enum route_kind kind);

/* Whether the route needs no login and ignores credentials. */
bool routes_is_public(enum route_kind kind);

/* The value of the header Allow, sorted as registry:2 does: "DELETE, GET, HEAD". */
enum { ROUTES_ALLOW_SIZE = 64 };
void routes_format_allow(enum route_kind kind, char ret_text[ROUTES_ALLOW_SIZE]);

/*
 * Finds the scopes that a call needs, and returns their number. from receives the source repository
 * of a mount; the scopes borrow it.
 */
enum { ROUTES_SCOPES_MAX = 3 };
size_t routes_find_scopes(const struct call *call,
                          struct access_scope ret_scopes[ROUTES_SCOPES_MAX],
                          char from[NAME_MAX_SIZE + 1]);
