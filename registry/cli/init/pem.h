#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "common/secbuf.h"

/*
 * Keys, certificates and requests between GnuTLS's objects and PEM texts. All return 0 or GnuTLS's negative code. An object
 * is owned by the caller, also after a failure: pem_x_done() takes NULL.
 */
int pem_make_key(gnutls_x509_privkey_t *ret);
int pem_read_key(const struct secbuf *text, gnutls_x509_privkey_t *ret);
int pem_write_key(gnutls_x509_privkey_t key, struct secbuf *ret);
void pem_key_done(gnutls_x509_privkey_t *key);

int pem_read_certificate(const char *text, gnutls_x509_crt_t *ret);
int pem_write_certificate(gnutls_x509_crt_t certificate, char **ret); /* owned by the caller, free() */
void pem_certificate_done(gnutls_x509_crt_t *certificate);

int pem_write_request(gnutls_x509_crq_t request, char **ret); /* owned by the caller, free() */
void pem_request_done(gnutls_x509_crq_t *request);
