#include "registry/x509/chain.h"

#include <errno.h>

void x509_chain_done(struct x509_chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        gnutls_x509_crt_deinit(chain->certificates[i]);
    chain->count = 0;
}

int x509_chain_add(struct x509_chain *chain, const gnutls_datum_t *der)
{
    gnutls_x509_crt_t *certificate = &chain->certificates[chain->count];

    if (chain->count == X509_CHAIN_MAX)
        return -EINVAL;
    if (gnutls_x509_crt_init(certificate) < 0)
        return -ENOMEM;
    chain->count++;
    return gnutls_x509_crt_import(*certificate, der, GNUTLS_X509_FMT_DER) < 0 ? -EINVAL : 0;
}

int x509_chain_read(struct x509_chain *chain, const gnutls_datum_t *pem)
{
    unsigned count = X509_CHAIN_MAX;
    int r = gnutls_x509_crt_list_import(chain->certificates, &count, pem, GNUTLS_X509_FMT_PEM, 0);

    chain->count = r > 0 ? (unsigned)r : 0;
    return r;
}

int x509_chain_verify(const struct x509_chain *chain, gnutls_x509_trust_list_t list,
                      const char *purpose, unsigned *ret_status)
{
    gnutls_x509_crt_t *certificates = (gnutls_x509_crt_t *)chain->certificates;
    gnutls_typed_vdata_st wanted = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)purpose,
    };
    int r = gnutls_x509_trust_list_verify_crt2(list, certificates, chain->count, &wanted,
                                               purpose ? 1 : 0, 0, ret_status, NULL);

    if (r == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    if (r < 0)
        *ret_status = GNUTLS_CERT_INVALID;
    return 0;
}
