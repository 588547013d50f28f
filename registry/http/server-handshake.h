#pragma once

#include <microhttpd.h>

#include "common/error.h"

/*
 * What waits for clients in the middle of a TLS handshake, which libmicrohttpd 0.9.75 itself does by asking the socket
 * again and again.
 */
struct handshakes;

/* Starts the thread that waits. 0 with *ret, or negative. */
int handshakes_start(struct handshakes **ret, struct error *err);

/*
 * From now on nobody waits: connections in a handshake end. To be called after libmicrohttpd accepts no new ones and
 * before it is ended; handshakes_free() after that. Both take NULL.
 */
void handshakes_stop(struct handshakes *handshakes);
void handshakes_free(struct handshakes *handshakes);

/*
 * Looks after a TLS connection that was just accepted, before anything is read from it. fd and session are the
 * connection's, borrowed. NULL if memory is out: the connection goes on as libmicrohttpd handles it by itself.
 * Freed by handshake_free(), which takes NULL, when its session is gone.
 */
struct handshake;
struct gnutls_session_int;
struct handshake *handshakes_add(struct handshakes *handshakes, struct MHD_Connection *connection, int fd,
                                 struct gnutls_session_int *session);
void handshake_free(struct handshake *handshake);
