#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Certificates for a private registry: an authority that clients are told to trust, and server
 * certificates that it signs. Keys are ECDSA P-256, because signing takes a fifteenth of the time
 * that RSA needs. All texts are PEM with a NUL at the end. Any thread may call these functions.
 */
struct certificate {
    struct secbuf key; /* the private key; may be empty */
    char *text; /* the certificate or the request; owned */
};
void certificate_done(struct certificate *certificate);

/* The names of a server: DNS names (also "*.example.com") and IP addresses. At least one. */
struct certificate_names {
    const char *const *items;
    size_t count;
};

/*
 * Creates an authority that is valid for ten years and may sign only for these names: its name
 * constraints permit each DNS name with its subdomains, and each address. Returns 0 or negative.
 */
int certificate_make_authority(const struct certificate_names *names, struct certificate *ret,
                               struct error *err) MUST_USE;

/*
 * Creates a server's certificate that the authority signs. It is valid for 825 days, the longest
 * that clients accept. If key (PEM) is not NULL, the certificate is for that key, and ret->key
 * stays empty. Otherwise a new key is created. Returns 0, or negative, also if the authority's
 * constraints forbid a name.
 */
int certificate_make_server(const struct certificate *authority,
                            const struct certificate_names *names, const struct secbuf *key,
                            struct certificate *ret, struct error *err) MUST_USE;

/*
 * Creates a key and a certificate request (PKCS #10) that another authority can sign. 0 or
 * negative.
 */
int certificate_make_request(const struct certificate_names *names, struct certificate *ret,
                             struct error *err) MUST_USE;

/*
 * Returns the names in a certificate, owned by the caller, free with certificate_free_names(). 0 or
 * negative.
 */
int certificate_get_names(const char *text, char ***ret_names, size_t *ret_count,
                          struct error *err) MUST_USE;
void certificate_free_names(char **names, size_t count);
