#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * The authorities that must have signed clients' certificates (mutual TLS). The process has one
 * set. Any thread may call these functions.
 */

/*
 * Loads or reloads the authorities (PEM files with one or more certificates). If that fails, the
 * previous ones stay in use. Returns 0, or negative if a file is unreadable, malformed or empty.
 */
int client_ca_load(const char *const *paths, size_t count, struct error *err) MUST_USE;

/* Frees the authorities. Call it when no connection is left. */
void client_ca_unload(void);

struct gnutls_session_int;

/* What the server demands of clients during the handshake. */
enum client_ca_demand {
    CLIENT_CA_NONE,
    CLIENT_CA_OPTIONAL, /* a client without a certificate is served, too */
    CLIENT_CA_REQUIRED,
};

/*
 * Makes the handshake of this session, which has not begun, ask for a certificate. The handshake
 * fails if no authority has signed it, if it is not valid now, or if it is not for clients.
 */
void client_ca_set_demand(struct gnutls_session_int *session, enum client_ca_demand demand);
