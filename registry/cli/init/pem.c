#include "registry/cli/init/pem.h"

#include <stdlib.h>
#include <string.h>

/*
 * Copies a text that GnuTLS allocated, then wipes and frees it. take_secret() does the same for a
 * key.
 */
static int take_text(gnutls_datum_t *datum, char **ret)
{
    *ret = strndup((const char *)datum->data, datum->size);
    explicit_bzero(datum->data, datum->size);
    gnutls_free(datum->data);
    return *ret ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int take_secret(gnutls_datum_t *datum, struct secbuf *ret)
{
    int r = secbuf_append(ret, datum->data, datum->size);

    explicit_bzero(datum->data, datum->size);
    gnutls_free(datum->data);
    return r < 0 ? GNUTLS_E_MEMORY_ERROR : 0;
}

/* --- keys ------------------------------------------------------------------------------------ */

int pem_make_key(gnutls_x509_privkey_t *ret)
{
    int r = gnutls_x509_privkey_init(ret);

    return r < 0 ? r
                 : gnutls_x509_privkey_generate(
                       *ret, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

int pem_read_key(const struct secbuf *text, gnutls_x509_privkey_t *ret)
{
    const gnutls_datum_t datum = {.data = text->data, .size = (unsigned)text->size};
    int r = gnutls_x509_privkey_init(ret);

    return r < 0 ? r : gnutls_x509_privkey_import2(*ret, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
}

int pem_write_key(gnutls_x509_privkey_t key, struct secbuf *ret)
{
    gnutls_datum_t datum = {0};
    int r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                              &datum);

    return r < 0 ? r : take_secret(&datum, ret);
}

void pem_key_done(gnutls_x509_privkey_t *key)
{
    if (*key)
        gnutls_x509_privkey_deinit(*key);
    *key = NULL;
}

/* --- certificates and requests --------------------------------------------------------------- */

int pem_read_certificate(const char *text, gnutls_x509_crt_t *ret)
{
    const gnutls_datum_t datum = {.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
    int r = gnutls_x509_crt_init(ret);

    return r < 0 ? r : gnutls_x509_crt_import(*ret, &datum, GNUTLS_X509_FMT_PEM);
}

int pem_write_certificate(gnutls_x509_crt_t certificate, char **ret)
{
    gnutls_datum_t datum = {0};
    int r = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &datum);

    return r < 0 ? r : take_text(&datum, ret);
}

void pem_certificate_done(gnutls_x509_crt_t *certificate)
{
    if (*certificate)
        gnutls_x509_crt_deinit(*certificate);
    *certificate = NULL;
}

int pem_write_request(gnutls_x509_crq_t request, char **ret)
{
    gnutls_datum_t datum = {0};
    int r = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &datum);

    return r < 0 ? r : take_text(&datum, ret);
}

void pem_request_done(gnutls_x509_crq_t *request)
{
    if (*request)
        gnutls_x509_crq_deinit(*request);
    *request = NULL;
}
