#include "registry/cli/doctor/request.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { REQUEST_MAX = 2048 };

/* A connection, with TLS or without. */
struct exchange {
    int fd;
    gnutls_session_t session; /* NULL: no TLS */
    gnutls_certificate_credentials_t credentials;
};

static void exchange_done(struct exchange *exchange)
{
    if (exchange->session)
        gnutls_deinit(exchange->session);
    if (exchange->credentials)
        gnutls_certificate_free_credentials(exchange->credentials);
    if (exchange->fd >= 0)
        close(exchange->fd);
}

/* --- connecting ------------------------------------------------------------------------------ */

/* The timeouts of the socket also apply to connect(). */
static int connect_one(const struct addrinfo *info)
{
    const struct timeval limit = {.tv_sec = REQUEST_TIMEOUT_S};
    CLEANUP_CLOSE int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, info->ai_addr, info->ai_addrlen) < 0)
        return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    return steal_fd(&fd);
}

static int connect_to(const struct public_address *address, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int r = getaddrinfo(address->host, address->port, &hints, &list), fd = -ECONNREFUSED;

    if (r != 0)
        return error_set(err, ENXIO, "cannot find the address of %s: %s", address->host,
                         gai_strerror(r));
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        fd = connect_one(info);
        if (fd >= 0)
            break;
    }
    freeaddrinfo(list);
    return fd >= 0 ? fd
                   : error_set_errno(err, -fd, "cannot connect to %s port %s", address->host,
                                     address->port);
}

/* --- TLS ------------------------------------------------------------------------------------- */

static int start_tls(struct exchange *exchange, const struct public_address *address,
                     struct error *err)
{
    int r = gnutls_certificate_allocate_credentials(&exchange->credentials);

    if (r == 0 && gnutls_certificate_set_x509_system_trust(exchange->credentials) < 0)
        r = 0; /* a machine without authorities trusts no certificate */
    if (r == 0)
        r = gnutls_init(&exchange->session, GNUTLS_CLIENT);
    if (r == 0)
        r = gnutls_set_default_priority(exchange->session);
    if (r == 0)
        r = gnutls_credentials_set(exchange->session, GNUTLS_CRD_CERTIFICATE,
                                   exchange->credentials);
    if (r == 0)
        r = gnutls_server_name_set(exchange->session, GNUTLS_NAME_DNS, address->host,
                                   strlen(address->host));
    if (r < 0)
        return error_set(err, EIO, "cannot prepare TLS: %s", gnutls_strerror(r));
    gnutls_transport_set_int(exchange->session, exchange->fd);
    gnutls_handshake_set_timeout(exchange->session, REQUEST_TIMEOUT_S * 1000);
    do
        r = gnutls_handshake(exchange->session);
    while (r < 0 && !gnutls_error_is_fatal(r));
    if (r < 0)
        return error_set(err, EPROTO, "%s port %s does not speak TLS: %s", address->host,
                         address->port, gnutls_strerror(r));
    return 0;
}

static void judge_certificate(const struct exchange *exchange, const struct public_address *address,
                              struct answer *ret)
{
    unsigned status = GNUTLS_CERT_INVALID;
    gnutls_datum_t text = {0};

    if (gnutls_certificate_verify_peers3(exchange->session, address->host, &status) < 0)
        status = GNUTLS_CERT_INVALID;
    ret->is_trusted = status == 0;
    if (ret->is_trusted ||
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
        return;
    snprintf(ret->distrust, sizeof(ret->distrust), "%.*s", (int)text.size, (const char *)text.data);
    gnutls_free(text.data);
}

/* --- HTTP ------------------------------------------------------------------------------------ */

static int send_all(const struct exchange *exchange, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = exchange->session ? gnutls_record_send(exchange->session, text, size)
                                      : send(exchange->fd, text, size, MSG_NOSIGNAL);

        if (n < 0 && exchange->session && !gnutls_error_is_fatal((int)n))
            continue;
        if (n < 0)
            return -EIO;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Reads up to the empty line. Skips interim responses (1xx). */
static int read_head(const struct exchange *exchange, struct answer *ret)
{
    size_t size = 0;

    for (;;) {
        char *end;
        ssize_t n;

        ret->head[size] = '\0';
        end = strstr(ret->head, "\r\n\r\n");
        if (end && strncmp(ret->head, "HTTP/1.1 1", 10) == 0) {
            size -= (size_t)(end + 4 - ret->head);
            memmove(ret->head, end + 4, size);
            continue;
        }
        if (end) {
            end[2] = '\0';
            return sscanf(ret->head, "HTTP/1.%*1[01] %3d", &ret->status) == 1 ? 0 : -EPROTO;
        }
        if (size == sizeof(ret->head) - 1)
            return -EMSGSIZE;
        n = exchange->session
                ? gnutls_record_recv(exchange->session, ret->head + size,
                                     sizeof(ret->head) - 1 - size)
                : recv(exchange->fd, ret->head + size, sizeof(ret->head) - 1 - size, 0);
        if (n < 0 && exchange->session && !gnutls_error_is_fatal((int)n) && n != GNUTLS_E_AGAIN)
            continue;
        if (n <= 0)
            return n == 0 ? -ECONNRESET : -ETIMEDOUT;
        size += (size_t)n;
    }
}

int request_send(const struct public_address *address, const char *method, const char *path,
                 const char *headers, struct answer *ret, struct error *err)
{
    CLEANUP(exchange_done) struct exchange exchange = {.fd = connect_to(address, err)};
    char request[REQUEST_MAX];
    int size, r = exchange.fd < 0 ? exchange.fd : 0;
    bool has_brackets = strchr(address->host, ':');

    ret->status = 0;
    ret->is_trusted = true;
    ret->distrust[0] = '\0';
    if (r == 0 && address->is_tls) {
        r = start_tls(&exchange, address, err);
        if (r == 0)
            judge_certificate(&exchange, address, ret);
    }
    if (r < 0)
        return r;
    size = snprintf(request, sizeof(request),
                    "%s %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: "
                    "registryd-doctor\r\n%sConnection: close\r\n\r\n",
                    method, address->path, path, has_brackets ? "[" : "", address->host,
                    has_brackets ? "]" : "", address->port, headers);
    if (size < 0 || (size_t)size >= sizeof(request))
        return error_set(err, EINVAL, "the address %s%s is too long", address->host, address->path);
    r = send_all(&exchange, request, (size_t)size);
    if (r == 0)
        r = read_head(&exchange, ret);
    if (r == -EPROTO || r == -EMSGSIZE)
        return error_set(err, EPROTO, "%s port %s does not answer in HTTP", address->host,
                         address->port);
    return r < 0 ? error_set_errno(err, -r, "%s port %s does not answer", address->host,
                                   address->port)
                 : 0;
}

const char *answer_find(const struct answer *answer, const char *name, char *ret, size_t size)
{
    size_t length = strlen(name);

    for (const char *line = strchr(answer->head, '\n'); line && line[1];
         line = strchr(line + 1, '\n')) {
        const char *value = line + 1 + length;

        if (strncasecmp(line + 1, name, length) != 0 || *value != ':')
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(ret, size, "%.*s", (int)strcspn(value, "\r\n"), value);
        return ret;
    }
    return NULL;
}
