#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>

#include "registry/cli/init/certificate.h"

/*
 * Sets and reads the names and addresses of a registry in certificates and requests, and the name
 * constraints of an authority. All functions return 0 or GnuTLS's negative code.
 */
int host_names_set(gnutls_x509_crt_t certificate, const struct certificate_names *names);
int host_names_set_requested(gnutls_x509_crq_t request, const struct certificate_names *names);

/* Limits an authority to these names, their subdomains, and these addresses. */
int host_names_constrain(gnutls_x509_crt_t authority, const struct certificate_names *names);

/*
 * Finds the first name that the authority may not sign for. *ret is borrowed from names, or NULL.
 */
int host_names_find_forbidden(gnutls_x509_crt_t authority, const struct certificate_names *names,
                              const char **ret);

/*
 * Gets name number i of a certificate, owned by the caller. Returns 1, 0 for a name of another
 * kind, or negative after the last name.
 */
int host_names_get(gnutls_x509_crt_t certificate, unsigned i, char **ret);
