#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>

#include "registry/cli/init/certificate.h"

/*
 * The names and addresses of a registry in certificates and requests, and the constraints that let an authority sign for
 * these names only. All return 0 or GnuTLS's negative code.
 */
int host_names_set(gnutls_x509_crt_t certificate, const struct certificate_names *names);
int host_names_set_requested(gnutls_x509_crq_t request, const struct certificate_names *names);

/* Limits an authority to these names, what is below them in the DNS, and these addresses. */
int host_names_constrain(gnutls_x509_crt_t authority, const struct certificate_names *names);

/* The first of names that the authority may not sign for goes to *ret, borrowed; NULL if there is none. */
int host_names_find_forbidden(gnutls_x509_crt_t authority, const struct certificate_names *names, const char **ret);

/* The name number i of a certificate, owned by the caller. 1; 0 for a name of another kind; negative after the last one. */
int host_names_get(gnutls_x509_crt_t certificate, unsigned i, char **ret);
