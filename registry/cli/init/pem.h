#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "common/secbuf.h"

/*
 * Converts keys, certificates and requests between GnuTLS's objects and PEM texts. All functions
 * return 0 or GnuTLS's negative code. The caller owns the object, also after a failure;
 * pem_x_done() accepts a pointer to NULL.
 */
int pem_make_key(gnutls_x509_privkey_t *ret);
int pem_read_key(const struct secbuf *text, gnutls_x509_privkey_t *ret);
int pem_write_key(gnutls_x509_privkey_t key, struct secbuf *ret);
void pem_key_done(gnutls_x509_privkey_t *key);

int pem_read_certificate(const char *text, gnutls_x509_crt_t *ret);
/* owned by the caller, free() */
int pem_write_certificate(gnutls_x509_crt_t certificate, char **ret);
void pem_certificate_done(gnutls_x509_crt_t *certificate);

int pem_write_request(gnutls_x509_crq_t request, char **ret); /* owned by the caller, free() */
void pem_request_done(gnutls_x509_crq_t *request);
