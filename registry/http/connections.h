#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/*
 * The open connections of a server, and their deadlines. A thread, the watcher, checks all of them
 * twice a second and shuts down those that are overdue. A client that sends one byte a minute is
 * overdue, too: for TCP, the kernel counts the bytes on the wire.
 */
struct connections;
struct client;
struct sockaddr;

/* The event that a connection waits for. */
enum connection_phase {
    CONNECTION_HEAD, /* the TLS handshake and the head of a request: within head_ms together */
    /* the next request: within idle_ms, or an eighth of it if the limit is nearly reached */
    CONNECTION_IDLE,
    CONNECTION_BODY, /* the body: min_rate */
    /* the rest of a refused body of a client that is not admitted: within transfer_ms */
    CONNECTION_REFUSED,
    CONNECTION_ANSWER, /* the client to receive the answer: min_rate */
    CONNECTION_WORK,   /* the server itself: no limit */
};

/* For each limit, 0 means no limit. */
struct connection_limits {
    unsigned most;             /* connections */
    unsigned most_per_address; /* of one client (common/client-network.h) */
    uint64_t head_ms, idle_ms, transfer_ms;
    /* bytes a second, on average over each period of transfer_ms in which the server waits */
    unsigned min_rate;
};

/* The part of a connection that the watcher uses; a member of the connection's own struct. */
struct watched {
    struct watched *next, *before;
    struct client *client; /* NULL: not counted */
    uint64_t client_hash;  /* of the client's network, with a random seed; constant */
    int fd;
    /* atomic: the start of the phase in milliseconds; the low bits are the phase */
    uint64_t phase_word;
    /* atomic: bytes read and written, for sockets whose bytes the kernel does not count */
    uint64_t moved;
    const char *cut; /* atomic: why the watcher shut it down, or NULL */

    /* Used by the watcher only: the window of the rate; valid while measured equals phase_word. */
    uint64_t measured, window_begin_ms, window_bytes;
};

/* Starts the watcher. 0 with *ret, owned by the caller (connections_free), or negative. */
int connections_new(const struct connection_limits *limits, struct connections **ret,
                    struct error *err) MUST_USE;

struct connections_counters {
    uint64_t open;    /* now */
    uint64_t refused; /* because the client had reached most_per_address */
    uint64_t ended;   /* because they were overdue */
};

/* Call it after the last connection was removed. Accepts NULL. */
void connections_free(struct connections *connections);

/*
 * Whether a client at that address may open another connection. Any thread may call this and the
 * following functions.
 */
bool connections_may_come(struct connections *connections, const struct sockaddr *address);

/*
 * Adds a connection in phase CONNECTION_HEAD. The caller keeps fd open, and watched in place, until
 * connections_remove(). address may be NULL.
 */
void connections_add(struct connections *connections, struct watched *watched, int fd,
                     const struct sockaddr *address);
void connections_remove(struct connections *connections, struct watched *watched);

void connections_get_counters(struct connections *connections, struct connections_counters *ret);

/* Enters a phase. Does nothing if the connection is already in it. */
void connection_enter(struct watched *watched, enum connection_phase phase);

/* Counts bytes that were read or written. */
static inline void connection_count(struct watched *watched, size_t size)
{
    /* Only the connection's event thread writes the counter. */
    __atomic_store_n(&watched->moved, watched->moved + size, __ATOMIC_RELAXED);
}

/* Returns why the watcher shut the connection down, as text for the log, or NULL. */
const char *connection_get_cut(const struct watched *watched);
