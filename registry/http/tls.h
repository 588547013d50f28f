#pragma once

#include "common/error.h"

/*
 * The certificate that this process serves. There is one, because GnuTLS calls a function without an
 * argument. All may be called from any thread.
 */

/*
 * Loads or reloads certificate chain and key (PEM). If that fails, the previous ones stay in use.
 * The paths are copied. 0, or negative: unreadable, malformed, key and certificate do not belong together.
 */
int tls_load(const char *certificate_path, const char *key_path, struct error *err);

/* Frees what is loaded, once no connection is left. */
void tls_unload(void);

/* Whether it expires within days, or is expired (negative): for a warning at start. */
int tls_get_days_left(void);

/* A gnutls_certificate_retrieve_function3. */
struct gnutls_session_int;
struct gnutls_cert_retr_st;
struct gnutls_pcert_st;
struct gnutls_ocsp_data_st;
struct gnutls_privkey_st;
int tls_retrieve(struct gnutls_session_int *session, const struct gnutls_cert_retr_st *info,
                 struct gnutls_pcert_st **ret_certificates, unsigned *ret_count, struct gnutls_ocsp_data_st **ret_ocsp,
                 unsigned *ret_ocsp_count, struct gnutls_privkey_st **ret_key, unsigned *flags);

/*
 * What we speak: TLS 1.2 and 1.3 with authenticated ciphers; AES-128-GCM first, the fastest here. Of the groups for the
 * key exchange X25519 leads, because clients send their share for it at once: any other first group makes them
 * begin again (HelloRetryRequest), which costs another round trip and most of a handshake. All are curves: finite-field
 * groups, such as ffdhe8192, would let a client make us compute for long at no cost of its own.
 */
#define TLS_GROUPS "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:" \
                       "-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:" TLS_GROUPS ":%SERVER_PRECEDENCE"
#define TLS13_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:" \
                         TLS_GROUPS ":%SERVER_PRECEDENCE"
