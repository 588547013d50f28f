#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/macros.h"
#include "registry/http/client-ca.h"
#include "registry/http/event-socket.h"

/*
 * TLS on non-blocking sockets: GnuTLS behind functions like recv(2) and send(2). The certificate is
 * that of registry/http/tls.h. Any thread may use a context; one thread at a time uses a session.
 */
struct tls_context;
struct tls_session;

struct tls_options {
    bool is_tls13_only;
    enum client_ca_demand demand; /* by the authorities that client_ca_load() has loaded */
};

/* 0 with *ret, owned by the caller (tls_context_free), or negative. */
int tls_context_new(const struct tls_options *options, struct tls_context **ret,
                    struct error *err) MUST_USE;

/* Call it after the last session was freed. Accepts NULL. */
void tls_context_free(struct tls_context *context);

/* Creates a server's session on socket, which is borrowed. NULL: out of memory. */
struct tls_session *tls_session_new(const struct tls_context *context, struct event_socket *socket);
void tls_session_free(struct tls_session *session); /* accepts NULL */

/*
 * Returns 0 when the handshake is over; -EAGAIN if it waits for the socket; -EINTR if there is more
 * to read, but other connections should run first; -EPROTO if it failed.
 */
int tls_session_handshake(struct tls_session *session);

/*
 * Reads up to size bytes. Returns 0 at the end, -EAGAIN if none have arrived, -EINTR like
 * tls_session_handshake(), or another -errno.
 */
ssize_t tls_session_read(struct tls_session *session, void *ret_data, size_t size);

/*
 * Returns how many bytes were sent. After -EAGAIN, pass the same bytes again; more may follow them.
 */
ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size);

/* Sends close_notify, if that is possible without waiting. */
void tls_session_end(struct tls_session *session);
