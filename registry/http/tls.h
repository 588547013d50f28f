#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/*
 * The certificate of this process. There is only one, because GnuTLS calls a function without an
 * argument. Any thread may call these functions.
 */

/*
 * Loads or reloads certificate chain and key (PEM). If that fails, the previous ones stay in use.
 * The paths are copied. Returns 0, or negative if a file is unreadable or malformed, or if key and
 * certificate do not match.
 */
int tls_load(const char *certificate_path, const char *key_path, struct error *err);

/* Frees certificate and key. Call it when no connection is left. */
void tls_unload(void);

/*
 * When the certificate expires, in seconds since 1970, and the names that it is for, with a blank
 * between them. False: none is loaded. Any thread.
 */
enum { TLS_NAMES_SIZE = 1024 };
bool tls_describe(int64_t *ret_expires_s, char ret_names[TLS_NAMES_SIZE]);

/* How many days are left until the certificate expires; negative if it has expired. */
int tls_get_days_left(void);

/* A gnutls_certificate_retrieve_function3. */
struct gnutls_session_int;
struct gnutls_cert_retr_st;
struct gnutls_pcert_st;
struct gnutls_ocsp_data_st;
struct gnutls_privkey_st;
int tls_retrieve(struct gnutls_session_int *session, const struct gnutls_cert_retr_st *info,
                 struct gnutls_pcert_st **ret_certificates, unsigned *ret_count,
                 struct gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                 struct gnutls_privkey_st **ret_key, unsigned *flags);

/*
 * The supported parameters: TLS 1.2 and 1.3 with authenticated ciphers; AES-128-GCM comes first,
 * because it is the fastest. X25519 is the first group for the key exchange, because clients send
 * their key share for it at once: another first group would cause a HelloRetryRequest, which costs
 * a round trip and most of a handshake. All groups are curves: a finite-field group such as
 * ffdhe8192 would let a client make the server compute for long at little cost.
 */
#define TLS_GROUPS "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
#define TLS_CIPHERS "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
#define TLS_PRIORITIES \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:" TLS_CIPHERS \
    "-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:" TLS_GROUPS ":%SERVER_PRECEDENCE"
#define TLS13_PRIORITIES \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:" TLS_CIPHERS \
    "-MAC-ALL:+AEAD:" TLS_GROUPS ":%SERVER_PRECEDENCE"
