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
 * Loads the authorities (PEM files, each of one or several), or loads them anew; on failure those from before stay in
 * force. 0, or negative: unreadable, malformed, no certificate in it.
 */
int client_ca_load(const char *const *paths, size_t count, struct error *err) MUST_USE;

/* Frees them, once no connection is left. */
void client_ca_unload(void);

struct gnutls_session_int;

/*
 * Has the handshake of this session, which has not begun, ask for a certificate and end where that is of none of the
 * authorities, not valid now, or not for clients. is_optional: one that shows none is served, too.
 */
void client_ca_demand(struct gnutls_session_int *session, bool is_optional);
