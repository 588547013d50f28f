/*
 * Where libmicrohttpd's connections meet those that are looked after: by the clock, and in the handshake of TLS.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "registry/http/client-ca.h"
#include "registry/http/request-private.h"
#include "registry/http/server-guard.h"

enum MHD_Result server_on_accept(void *cls, const struct sockaddr *address, socklen_t size)
{
    struct server *server = cls;

    (void)size;
    return connections_may_come(server->connections, address) ? MHD_YES : MHD_NO;
}

struct client {
    char address[REQUEST_ADDRESS_MAX]; /* "" for a socket in the file system */
    unsigned port;
};

/* What hangs on a connection of libmicrohttpd, from accept() to close(). Each pointer may be NULL. */
struct accepted {
    struct connection *watched;
    struct handshake *handshake;
    struct exchange *exchange; /* the request that is under way */
    struct guard guard;
    struct client client;
};

/*
 * libmicrohttpd 1.0 answers every MHD_get_connection_info() of a connection in the same union, so a result is valid until
 * the next call only. These functions return what the union holds, by value.
 */
static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

int server_get_fd(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

struct gnutls_session_int *server_get_session(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
}

static void describe(const struct sockaddr *address, struct client *ret)
{
    static const char mapped[] = "::ffff:"; /* what an IPv4 address begins with on a socket for both */
    char host[REQUEST_ADDRESS_MAX], port[8];
    size_t skipped;

    *ret = (struct client){0};
    if (!address || getnameinfo(address, sizeof(struct sockaddr_in6), host, sizeof(host), port, sizeof(port),
                                NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    skipped = strncmp(host, mapped, sizeof(mapped) - 1) == 0 ? sizeof(mapped) - 1 : 0;
    snprintf(ret->address, sizeof(ret->address), "%s", host + skipped);
    ret->port = (unsigned)strtoul(port, NULL, 10);
}

/* NULL if memory or descriptors are short. */
static struct accepted *new_accepted(struct server *server, struct MHD_Connection *connection)
{
    struct accepted *accepted = calloc(1, sizeof(*accepted));

    if (!accepted)
        return NULL;
    accepted->guard.server = server;
    accepted->guard.connection = connection;
    accepted->guard.fd = server_get_fd(connection);
    accepted->guard.is_tls = server->options.is_tls;
    if (guard_add(&accepted->guard))
        return accepted;
    free(accepted);
    return NULL;
}

static struct accepted *begin(struct server *server, struct MHD_Connection *connection)
{
    const struct sockaddr *address = address_of(connection);
    struct accepted *accepted = new_accepted(server, connection);
    int fd = server_get_fd(connection);

    if (!accepted) { /* without a guard nothing is served: the connection ends */
        shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    if (server->options.demands_client)
        client_ca_demand(server_get_session(connection), server->options.is_client_optional);
    describe(address, &accepted->client);
    accepted->watched = connections_add(server->connections, fd, address);
    if (server->handshakes)
        accepted->handshake = handshakes_add(server->handshakes, connection, fd, server_get_session(connection));
    return accepted;
}

static void end(struct server *server, struct accepted *accepted)
{
    if (!accepted)
        return;
    guard_remove(&accepted->guard);
    connections_remove(server->connections, accepted->watched);
    handshake_free(accepted->handshake);
    free(accepted);
}

void server_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context = begin(cls, connection);
    else
        end(cls, steal_ptr(socket_context));
}

static struct accepted *find(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void server_describe_client(struct exchange *exchange)
{
    const struct accepted *accepted = find(exchange->connection);
    struct client client;

    if (accepted)
        client = accepted->client;
    else
        describe(address_of(exchange->connection), &client);
    memcpy(exchange->request.address, client.address, sizeof(client.address));
    exchange->request.port = client.port;
}

struct connection *server_find_watched(struct MHD_Connection *connection)
{
    const struct accepted *accepted = find(connection);

    return accepted ? accepted->watched : NULL;
}

struct exchange *server_find_exchange(struct MHD_Connection *connection)
{
    const struct accepted *accepted = find(connection);

    return accepted ? accepted->exchange : NULL;
}

void server_set_exchange(struct MHD_Connection *connection, struct exchange *exchange)
{
    struct accepted *accepted = find(connection);

    if (accepted)
        accepted->exchange = exchange;
}

/* What the connection waits for from here on. */
void server_note_phase(struct exchange *exchange)
{
    enum connection_phase phase = exchange->is_admitted ? CONNECTION_BODY : CONNECTION_REFUSED;

    if (exchange->is_suspended)
        phase = CONNECTION_WORK;
    else if (exchange->is_answered)
        phase = CONNECTION_ANSWER;
    connection_enter(exchange->watched, phase);
}
