#pragma once

#include "registry/api/endpoint.h"

/*
 * The table of what the registry does: for each route and method an endpoint, the name of both for
 * metrics and the log, and what somebody must be allowed to do.
 */
enum operation_need {
    NEED_NOTHING, /* open to everybody */
    NEED_LOGIN,
    NEED_PULL,
    NEED_PUSH, /* and pull; a mount also needs to pull from where the blob lies */
    NEED_DELETE,
    NEED_CANCEL, /* of an upload: as registry:2 words it, to delete; the right to push is enough */
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

/* The operation of a route and a method; NULL where there is none. */
const struct operation *routes_find(enum route_kind kind, unsigned method);

/*
 * The handlers' names, as registry:2 has them; how many. The first is of requests that have none.
 * routes_find_handler() answers an index of that list.
 */
enum { ROUTES_HANDLERS_MAX = 16 };
size_t routes_list_handlers(const char *ret_names[ROUTES_HANDLERS_MAX]);
size_t routes_find_handler(enum route_kind kind);

/* Whether the route has any operation. */
bool routes_is_known(enum route_kind kind);

/* Whether the route needs no login. */
bool routes_is_public(enum route_kind kind);

/* The value of the header Allow, sorted as registry:2 does: "DELETE, GET, HEAD". */
enum { ROUTES_ALLOW_SIZE = 64 };
void routes_format_allow(enum route_kind kind, char ret_text[ROUTES_ALLOW_SIZE]);

/*
 * The scopes that a call needs; how many. from holds the repository that a mount names, and must
 * live as long as the scopes.
 */
enum { ROUTES_SCOPES_MAX = 3 };
size_t routes_find_scopes(const struct call *call, struct access_scope ret_scopes[ROUTES_SCOPES_MAX],
                          char from[NAME_MAX_SIZE + 1]);
