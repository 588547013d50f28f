/*
 * Checks clients' certificates during the handshake, with a function that GnuTLS calls. So the
 * authorities can change while the server runs, and a client without a valid certificate cannot
 * send a request.
 */
#include "registry/http/client-ca.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/file.h"
#include "registry/x509/chain.h"

enum { FILE_MAX = 1 << 20 };

static gnutls_x509_trust_list_t current;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void free_list(gnutls_x509_trust_list_t *list)
{
    if (*list)
        gnutls_x509_trust_list_deinit(*list, 1);
}

static int add_file(gnutls_x509_trust_list_t list, const char *path, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP_FREE char *text = NULL;
    gnutls_datum_t datum;
    size_t size = 0;
    int r = fd < 0 ? -errno : file_read_all(fd, FILE_MAX, &text, &size);

    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s", path);
    datum = (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)size};
    r = gnutls_x509_trust_list_add_trust_mem(list, &datum, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
    return r > 0 ? 0
                 : error_set(err, EBADMSG, "%s contains no certificate of an authority in PEM: %s",
                             path, gnutls_strerror(r));
}

int client_ca_load(const char *const *paths, size_t count, struct error *err)
{
    CLEANUP(free_list) gnutls_x509_trust_list_t list = NULL;
    gnutls_x509_trust_list_t before;
    int r = 0;

    if (gnutls_x509_trust_list_init(&list, 0) < 0)
        return error_set_oom(err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_file(list, paths[i], err);
    if (r < 0)
        return r;
    pthread_rwlock_wrlock(&lock);
    before = current;
    current = steal_ptr(&list);
    pthread_rwlock_unlock(&lock);
    free_list(&before);
    return 0;
}

void client_ca_unload(void)
{
    free_list(&current);
    current = NULL;
}

/* --- in the handshake ---------------------------------------------------------------------- */

static int take_chain(gnutls_session_t session, struct x509_chain *ret)
{
    unsigned count = 0;
    const gnutls_datum_t *shown = gnutls_certificate_get_peers(session, &count);
    int r = 0;

    if (!shown || count == 0 || gnutls_certificate_type_get(session) != GNUTLS_CRT_X509)
        return -EINVAL;
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = x509_chain_add(ret, &shown[i]);
    return r;
}

/* Returns GnuTLS's status bits; 0: the chain is valid. */
static unsigned verify_chain(const struct x509_chain *chain)
{
    unsigned status;
    int r;

    pthread_rwlock_rdlock(&lock);
    r = x509_chain_verify(chain, current, GNUTLS_KP_TLS_WWW_CLIENT, &status);
    pthread_rwlock_unlock(&lock);
    return r < 0 ? GNUTLS_CERT_INVALID : status;
}

static gnutls_alert_description_t alert_for(unsigned status)
{
    if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
        return GNUTLS_A_UNKNOWN_CA;
    if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    return GNUTLS_A_BAD_CERTIFICATE;
}

/*
 * GnuTLS calls this when the client has sent its certificate; a result other than 0 ends the
 * handshake.
 */
static int verify(gnutls_session_t session)
{
    CLEANUP(x509_chain_done) struct x509_chain chain = {0};
    unsigned status = take_chain(session, &chain) < 0 ? GNUTLS_CERT_INVALID : verify_chain(&chain);

    if (status == 0)
        return 0;
    gnutls_alert_send(session, GNUTLS_AL_FATAL, alert_for(status));
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static int verify_if_given(gnutls_session_t session)
{
    unsigned count = 0;

    return gnutls_certificate_get_peers(session, &count) && count > 0 ? verify(session) : 0;
}

void client_ca_set_demand(struct gnutls_session_int *session, enum client_ca_demand demand)
{
    if (demand == CLIENT_CA_NONE)
        return;
    gnutls_certificate_server_set_request(session, demand == CLIENT_CA_OPTIONAL
                                                       ? GNUTLS_CERT_REQUEST
                                                       : GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_function(session,
                                       demand == CLIENT_CA_OPTIONAL ? verify_if_given : verify);
}
