#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"

/*
 * Certificates for a registry of one's own: an authority that clients come to trust, and server certificates that it
 * signs. Keys are ECDSA P-256, whose signatures cost a server a fifteenth of RSA's. All in PEM, NUL-terminated. From
 * any thread.
 */
struct certificate {
    struct secbuf key;  /* the private key; empty where there is none */
    char *text;         /* the certificate, or the request for one; owned */
};
void certificate_done(struct certificate *certificate);

/* What a server is called: DNS names (also "*.example.com") and IP addresses. The first is its common name, too. */
struct certificate_names {
    const char *const *items;
    size_t count;
};

/* A new authority of that name, for ten years, which may sign servers and nothing else. 0 or negative. */
int certificate_make_authority(const char *name, struct certificate *ret, struct error *err) MUST_USE;

/*
 * A server's certificate for 825 days, the most that clients take, signed by the authority. With key (PEM; NULL: a new
 * one) it is for that key, and ret->key stays empty. 0 or negative.
 */
int certificate_make_server(const struct certificate *authority, const struct certificate_names *names,
                            const struct secbuf *key, struct certificate *ret, struct error *err) MUST_USE;

/* A new key and a request for a certificate, which another authority is to sign. 0 or negative. */
int certificate_make_request(const struct certificate_names *names, struct certificate *ret, struct error *err) MUST_USE;

/* The names in a certificate, each owned by the caller, as is the list (free with certificate_free_names()). 0 or negative. */
int certificate_get_names(const char *text, char ***ret_names, size_t *ret_count, struct error *err) MUST_USE;
void certificate_free_names(char **names, size_t count);
