#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * The authorities whose certificates clients must show (mutual TLS). There is one set for the process, as there is
 * one certificate of its own. From any thread.
 */

/*
 * Loads the authorities (PEM files, each of one or several), or reloads them. If that fails, the previous ones stay in
 * use. 0, or negative: unreadable, malformed, no certificate in it.
 */
int client_ca_load(const char *const *paths, size_t count, struct error *err) MUST_USE;

/* Frees them, once no connection is left. */
void client_ca_unload(void);

struct gnutls_session_int;

/*
 * Makes the handshake of this session, which has not begun, ask for a certificate, and fail if no authority has signed it,
 * or if it is not valid now or not for clients. is_optional: a client without a certificate is served, too.
 */
void client_ca_demand(struct gnutls_session_int *session, bool is_optional);
