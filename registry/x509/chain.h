#pragma once

#include <gnutls/x509.h>

#include "common/macros.h"

/* Chains of certificates. */

enum { X509_CHAIN_MAX = 16 };

/* Each certificate is signed by the next one. Zeroed at first; free with x509_chain_done(). */
struct x509_chain {
    gnutls_x509_crt_t certificates[X509_CHAIN_MAX];
    unsigned count;
};

void x509_chain_done(struct x509_chain *chain);

/* Appends a certificate in DER. 0, -EINVAL (malformed, or there is no room), or -ENOMEM. */
int x509_chain_add(struct x509_chain *chain, const gnutls_datum_t *der) MUST_USE;

/*
 * Reads the certificates in a PEM text into an empty chain. Returns their number, or GnuTLS's
 * negative code.
 */
int x509_chain_read(struct x509_chain *chain, const gnutls_datum_t *pem) MUST_USE;

/*
 * Whether an authority of the list has signed the chain, all of it is valid now and, unless purpose
 * is NULL, it is for this purpose (GNUTLS_KP_...). Returns 0 with GnuTLS's status bits, which are 0
 * for a valid chain, or -ENOMEM.
 */
int x509_chain_verify(const struct x509_chain *chain, gnutls_x509_trust_list_t list,
                      const char *purpose, unsigned *ret_status) MUST_USE;
