#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Certificates for a private registry: an authority that clients are told to trust, and server certificates that it signs.
 * Keys are ECDSA P-256, whose signatures cost a server a fifteenth of RSA's. All texts are PEM, NUL-terminated. From any
 * thread.
 */
struct certificate {
    struct secbuf key; /* the private key; may be empty */
    char *text;        /* the certificate, or the request for one; owned */
};
void certificate_done(struct certificate *certificate);

/* The names of a server: DNS names (also "*.example.com") and IP addresses. At least one. */
struct certificate_names {
    const char *const *items;
    size_t count;
};

/*
 * A new authority, valid for ten years, that may sign servers of these names only: its name constraints permit each DNS
 * name, what is below it in the DNS, and each address. 0 or negative.
 */
int certificate_make_authority(const struct certificate_names *names, struct certificate *ret, struct error *err) MUST_USE;

/*
 * A server's certificate for 825 days, the most that clients accept, signed by the authority. With key (PEM; NULL: a new
 * one) it is for that key, and ret->key stays empty. 0 or negative, also if the authority's constraints forbid a name.
 */
int certificate_make_server(const struct certificate *authority, const struct certificate_names *names,
                            const struct secbuf *key, struct certificate *ret, struct error *err) MUST_USE;

/* A new key and a request for a certificate, for another authority to sign. 0 or negative. */
int certificate_make_request(const struct certificate_names *names, struct certificate *ret, struct error *err) MUST_USE;

/* The names in a certificate; each, and the list, are owned by the caller (certificate_free_names()). 0 or negative. */
int certificate_get_names(const char *text, char ***ret_names, size_t *ret_count, struct error *err) MUST_USE;
void certificate_free_names(char **names, size_t count);
