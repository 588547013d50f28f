#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/macros.h"
#include "registry/http/event-socket.h"

/*
 * TLS on sockets that do not block: GnuTLS behind calls like recv(2) and send(2). The certificate is
 * that of registry/http/tls.h. A context may be used from any thread, a session from one at a time.
 */
struct tls_context;
struct tls_session;

struct tls_options {
    bool is_tls13_only;
    bool demands_client;     /* a certificate of the authorities that client_ca_load() has loaded */
    bool is_client_optional; /* a client without a certificate is served, too */
};

/* 0 with *ret, owned by the caller (tls_context_free), or negative. */
int tls_context_new(const struct tls_options *options, struct tls_context **ret, struct error *err) MUST_USE;

/* When its last session is freed. Takes NULL. */
void tls_context_free(struct tls_context *context);

/* A server's session on socket, which is borrowed. NULL if memory is out. */
struct tls_session *tls_session_new(const struct tls_context *context, struct event_socket *socket);
void tls_session_free(struct tls_session *session); /* takes NULL */

/*
 * 0 once the handshake is over; -EAGAIN if it waits for the socket; -EINTR if there is more to read, but other connections
 * should have their turn before; -EPROTO if it failed.
 */
int tls_session_handshake(struct tls_session *session);

/* Up to size bytes; 0 at the end, -EAGAIN if none have arrived, -EINTR as tls_session_handshake(), or another -errno. */
ssize_t tls_session_read(struct tls_session *session, void *ret_data, size_t size);

/*
 * How many of the bytes were sent. After -EAGAIN the same bytes must be given again, as with a
 * socket; more may follow them.
 */
ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size);

/* Tells the other side that nothing more is to come, as far as that goes without waiting. */
void tls_session_end(struct tls_session *session);
