/*
 * Where libmicrohttpd's connections meet those that are looked after: by the clock, and in the handshake of TLS.
 */
#include <stdlib.h>

#include "registry/http/client-ca.h"
#include "registry/http/request-private.h"

enum MHD_Result server_on_accept(void *cls, const struct sockaddr *address, socklen_t size)
{
    struct server *server = cls;

    (void)size;
    return connections_may_come(server->connections, address) ? MHD_YES : MHD_NO;
}

/* What hangs on a connection of libmicrohttpd, from accept() to close(). Each may be NULL. */
struct accepted {
    struct connection *watched;
    struct handshake *handshake;
};

static struct accepted *begin(struct server *server, struct MHD_Connection *connection)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    struct accepted *accepted = calloc(1, sizeof(*accepted));

    if (server->options.demands_client)
        client_ca_demand(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session,
                         server->options.is_client_optional);
    if (!accepted)
        return NULL;
    accepted->watched = connections_add(server->connections, fd, address);
    if (server->handshakes)
        accepted->handshake = handshakes_add(server->handshakes, connection);
    return accepted;
}

static void end(struct server *server, struct accepted *accepted)
{
    if (!accepted)
        return;
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

struct connection *server_find_watched(struct MHD_Connection *connection)
{
    const struct accepted *accepted =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    return accepted ? accepted->watched : NULL;
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
