#include "registry/http/tls-session.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "registry/http/client-ca.h"
#include "registry/http/tls.h"

/* The head of a request, as a rule: so that the header of a record and what follows take one call instead of two. */
enum { READ_AHEAD = 2048 };

struct tls_context {
    struct tls_options options;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priorities;
};

struct tls_session {
    gnutls_session_t session;
    int fd;
    bool is_flushing; /* GnuTLS holds a record that the socket did not take */
    size_t taken, filled; /* of the buffer */
    unsigned char buffer[READ_AHEAD];
};

/* --- contexts ---------------------------------------------------------------------------------- */

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    if (context->credentials)
        gnutls_certificate_free_credentials(context->credentials);
    if (context->priorities)
        gnutls_priority_deinit(context->priorities);
    free(context);
}

int tls_context_new(const struct tls_options *options, struct tls_context **ret, struct error *err)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    int r;

    if (!context)
        return error_set_oom(err);
    context->options = *options;
    r = gnutls_certificate_allocate_credentials(&context->credentials);
    if (r >= 0)
        r = gnutls_priority_init2(&context->priorities, options->is_tls13_only ? TLS13_PRIORITIES : TLS_PRIORITIES, NULL, 0);
    if (r < 0) {
        tls_context_free(context);
        return error_set(err, ENOTSUP, "cannot set up TLS: %s", gnutls_strerror(r));
    }
    gnutls_certificate_set_retrieve_function3(context->credentials, tls_retrieve);
    *ret = context;
    return 0;
}

/* --- the socket, as GnuTLS sees it ---------------------------------------------------------------- */

static ssize_t take(struct tls_session *session, void *ret_data, size_t size)
{
    size_t left = session->filled - session->taken;

    if (size > left)
        size = left;
    memcpy(ret_data, session->buffer + session->taken, size);
    session->taken += size;
    return (ssize_t)size;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *ret_data, size_t size)
{
    struct tls_session *session = transport;
    ssize_t n;

    if (session->taken < session->filled)
        return take(session, ret_data, size);
    if (size >= READ_AHEAD)
        return recv(session->fd, ret_data, size, 0);
    n = recv(session->fd, session->buffer, READ_AHEAD, 0);
    if (n <= 0)
        return n;
    session->taken = 0;
    session->filled = (size_t)n;
    return take(session, ret_data, size);
}

/* send(2) rather than the sendmsg(2) of GnuTLS: the confinement allows only the former, which it can look into. */
static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t size)
{
    return send(((struct tls_session *)transport)->fd, data, size, MSG_NOSIGNAL);
}

/* --- sessions -------------------------------------------------------------------------------------- */

struct tls_session *tls_session_new(const struct tls_context *context, int fd)
{
    struct tls_session *session = malloc(sizeof(*session));

    if (!session)
        return NULL;
    session->fd = fd;
    session->is_flushing = false;
    session->taken = session->filled = 0;
    if (gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        free(session);
        return NULL;
    }
    if (gnutls_priority_set(session->session, context->priorities) < 0 ||
        gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE, context->credentials) < 0) {
        tls_session_free(session);
        return NULL;
    }
    gnutls_transport_set_ptr(session->session, session);
    gnutls_transport_set_pull_function(session->session, pull);
    gnutls_transport_set_push_function(session->session, push);
    gnutls_handshake_set_timeout(session->session, GNUTLS_INDEFINITE_TIMEOUT);
    if (context->options.demands_client)
        client_ca_demand(session->session, context->options.is_client_optional);
    return session;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    gnutls_deinit(session->session);
    explicit_bzero(session->buffer, sizeof(session->buffer));
    free(session);
}

int tls_session_handshake(struct tls_session *session)
{
    int r;

    do
        r = gnutls_handshake(session->session);
    while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
    if (r == GNUTLS_E_AGAIN)
        return -EAGAIN;
    if (r < 0 && r != GNUTLS_E_CERTIFICATE_ERROR) /* client-ca.c has said that already */
        gnutls_alert_send_appropriate(session->session, r);
    return r < 0 ? -EPROTO : 0;
}

static ssize_t errno_of(ssize_t r)
{
    return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED ? -EAGAIN : -EPROTO;
}

ssize_t tls_session_read(struct tls_session *session, void *ret_data, size_t size)
{
    ssize_t n;

    do
        n = gnutls_record_recv(session->session, ret_data, size);
    while (n < 0 && n != GNUTLS_E_AGAIN && n != GNUTLS_E_REHANDSHAKE && !gnutls_error_is_fatal((int)n));
    return n < 0 ? errno_of(n) : n;
}

ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size)
{
    ssize_t n = session->is_flushing ? gnutls_record_send(session->session, NULL, 0)
                                     : gnutls_record_send(session->session, data, size);

    session->is_flushing = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
    return n < 0 ? errno_of(n) : n;
}

void tls_session_end(struct tls_session *session)
{
    gnutls_bye(session->session, GNUTLS_SHUT_WR);
}
