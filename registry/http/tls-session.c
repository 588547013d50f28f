#include "registry/http/tls-session.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/http/client-ca.h"
#include "registry/http/tls.h"

enum {
    /* larger than most heads of requests: one call reads the record with its header */
    READ_AHEAD = 2048,
    FLIGHT_SIZE = 4096, /* the largest flight of a handshake with a usual certificate chain */
    TRIES = 32, /* the most consecutive calls of GnuTLS, because each may only read an alert */
};

struct tls_context {
    struct tls_options options;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priorities;
};

/*
 * Collects the messages of a handshake, and sends them with one call when the handshake has to wait
 * or is over. GnuTLS would send each message separately, and each would wake the client.
 */
struct flight {
    size_t begin, end; /* the bytes that were not sent yet */
    unsigned char bytes[FLIGHT_SIZE];
};

struct tls_session {
    gnutls_session_t session;
    struct event_socket *socket;
    struct flight *flight; /* NULL after the handshake */
    bool is_flushing; /* GnuTLS holds a record that the socket did not accept */
    bool has_pulled; /* GnuTLS received bytes since this was cleared */
    size_t taken, filled;  /* of the buffer */
    unsigned char buffer[READ_AHEAD];
};

/* --- contexts -------------------------------------------------------------------------------- */

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
        r = gnutls_priority_init2(&context->priorities,
                                  options->is_tls13_only ? TLS13_PRIORITIES : TLS_PRIORITIES, NULL,
                                  0);
    if (r < 0) {
        tls_context_free(context);
        return error_set(err, ENOTSUP, "cannot set up TLS: %s", gnutls_strerror(r));
    }
    gnutls_certificate_set_retrieve_function3(context->credentials, tls_retrieve);
    *ret = context;
    return 0;
}

/* --- transport functions of GnuTLS ----------------------------------------------------------- */

/* Converts -errno to what GnuTLS expects: -1 with errno. */
static ssize_t result_of(ssize_t n)
{
    if (n >= 0)
        return n;
    errno = (int)-n;
    return -1;
}

static ssize_t take(struct tls_session *session, void *ret_data, size_t size)
{
    size_t left = session->filled - session->taken;

    if (size > left)
        size = left;
    memcpy(ret_data, session->buffer + session->taken, size);
    session->taken += size;
    session->has_pulled = true;
    return (ssize_t)size;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *ret_data, size_t size)
{
    struct tls_session *session = transport;
    ssize_t n;

    if (session->taken < session->filled)
        return take(session, ret_data, size);
    if (size >= READ_AHEAD) {
        n = event_socket_read(session->socket, ret_data, size);
        session->has_pulled = session->has_pulled || n > 0;
        return result_of(n);
    }
    n = event_socket_read(session->socket, session->buffer, READ_AHEAD);
    if (n <= 0)
        return result_of(n);
    session->taken = 0;
    session->filled = (size_t)n;
    return take(session, ret_data, size);
}

/* Sends the flight. 0 or -errno; on -EAGAIN the rest is kept. */
static int flight_send(struct tls_session *session)
{
    struct flight *flight = session->flight;

    while (flight && flight->begin < flight->end) {
        ssize_t n = event_socket_write(session->socket, flight->bytes + flight->begin,
                                       flight->end - flight->begin, 0);

        if (n < 0)
            return (int)n;
        flight->begin += (size_t)n;
    }
    if (flight)
        flight->begin = flight->end = 0;
    return 0;
}

/*
 * Uses send(2) instead of GnuTLS's sendmsg(2): seccomp allows only the former, because it can check
 * its target.
 */
static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t size)
{
    struct tls_session *session = transport;
    struct flight *flight = session->flight;
    int r = flight && FLIGHT_SIZE - flight->end < size ? flight_send(session) : 0;

    if (r < 0)
        return result_of(r);
    if (!flight || size > FLIGHT_SIZE)
        return result_of(event_socket_write(session->socket, data, size, 0));
    memcpy(flight->bytes + flight->end, data, size);
    flight->end += size;
    return (ssize_t)size;
}

/* --- sessions -------------------------------------------------------------------------------- */

static int set_up(struct tls_session *session, const struct tls_context *context)
{
    if (gnutls_priority_set(session->session, context->priorities) < 0 ||
        gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE, context->credentials) < 0)
        return -ENOMEM;
    gnutls_transport_set_ptr(session->session, session);
    gnutls_transport_set_pull_function(session->session, pull);
    gnutls_transport_set_push_function(session->session, push);
    gnutls_handshake_set_timeout(session->session, GNUTLS_INDEFINITE_TIMEOUT);
    client_ca_set_demand(session->session, context->options.demand);
    return 0;
}

struct tls_session *tls_session_new(const struct tls_context *context, struct event_socket *socket)
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->socket = socket;
    session->flight = calloc(1, sizeof(*session->flight));
    if (!session->flight ||
        gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        free(session->flight);
        free(session);
        return NULL;
    }
    if (set_up(session, context) < 0) {
        tls_session_free(session);
        return NULL;
    }
    return session;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    gnutls_deinit(session->session);
    explicit_bzero(session->buffer, sizeof(session->buffer));
    free(session->flight);
    free(session);
}

/*
 * Whether to repeat a call of GnuTLS. GNUTLS_E_AGAIN does not always mean that the socket is empty:
 * it may follow a message of TLS itself, and epoll would not report bytes again that were read
 * ahead after that message.
 */
static bool may_go_on(const struct tls_session *session, ssize_t r)
{
    if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
        return session->has_pulled &&
               (session->taken < session->filled || session->socket->is_readable);
    return r < 0 && r != GNUTLS_E_REHANDSHAKE && !gnutls_error_is_fatal((int)r);
}

static ssize_t errno_of(const struct tls_session *session, ssize_t r)
{
    if (may_go_on(session, r))
        return -EINTR;
    return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED ? -EAGAIN : -EPROTO;
}

int tls_session_handshake(struct tls_session *session)
{
    int tries = 0, r, sent;

    do {
        session->has_pulled = false;
        r = gnutls_handshake(session->session);
    } while (may_go_on(session, r) && ++tries < TRIES);
    if (r < 0 && gnutls_error_is_fatal(r) && r != GNUTLS_E_CERTIFICATE_ERROR)
        /* client-ca.c sends the alert for a bad certificate */
        gnutls_alert_send_appropriate(session->session, r);
    sent = flight_send(session);
    if (r < 0)
        return (int)errno_of(session, r);
    return sent < 0 && sent != -EAGAIN ? -EPROTO : 0;
}

/* The last flight must be sent before anything else. 0 or -errno. */
static int finish_flight(struct tls_session *session)
{
    int r = flight_send(session);

    if (r < 0)
        return r;
    free(session->flight);
    session->flight = NULL;
    return 0;
}

ssize_t tls_session_read(struct tls_session *session, void *ret_data, size_t size)
{
    ssize_t n = finish_flight(session);
    int tries = 0;

    if (n < 0 && n != -EAGAIN)
        return n;
    do {
        session->has_pulled = false;
        n = gnutls_record_recv(session->session, ret_data, size);
    } while (may_go_on(session, n) && ++tries < TRIES);
    return n < 0 ? errno_of(session, n) : n;
}

ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size)
{
    ssize_t n = finish_flight(session);

    if (n < 0)
        return n;
    n = session->is_flushing ? gnutls_record_send(session->session, NULL, 0)
                             : gnutls_record_send(session->session, data, size);
    session->is_flushing = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
    if (n >= 0)
        return n;
    return session->is_flushing ? -EAGAIN : -EPROTO;
}

void tls_session_end(struct tls_session *session)
{
    gnutls_bye(session->session, GNUTLS_SHUT_WR);
}
