#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/*
 * The open connections of a server, and their deadlines. A thread, the watcher, checks all of them twice a second and shuts
 * down those that are overdue. A client that sends a byte a minute is overdue, too: for TCP the kernel counts the bytes
 * on the wire.
 */
struct connections;
struct client;
struct sockaddr;

/* What a connection waits for. */
enum connection_phase {
    CONNECTION_HEAD,    /* the client's TLS handshake and the head of its request: within head_ms altogether */
    CONNECTION_IDLE,    /* the next request: within idle_ms, an eighth of it where few more connections have room */
    CONNECTION_BODY,    /* the client's bytes: min_rate */
    CONNECTION_REFUSED, /* the rest of the body of a stranger's request: within transfer_ms altogether */
    CONNECTION_ANSWER,  /* the client to take our bytes: min_rate */
    CONNECTION_WORK,    /* us */
};

/* 0 means no limit, everywhere. */
struct connection_limits {
    unsigned most;             /* connections */
    unsigned most_per_address; /* of one client (common/client-network.h) */
    uint64_t head_ms, idle_ms, transfer_ms;
    unsigned min_rate; /* bytes a second, on average over each transfer_ms, unless it is we who are late */
};

/* The part of a connection that the watcher knows; a member of the connection's own struct. */
struct watched {
    struct watched *next, *before;
    struct client *client; /* NULL: not counted */
    uint64_t client_hash;  /* of the client's network, with a random seed; constant */
    int fd;
    uint64_t phase_word; /* atomic: when the phase began, in milliseconds, and in the low bits which */
    uint64_t moved;      /* atomic: bytes that were read and written, where the kernel does not count them */
    const char *cut;     /* atomic: why it was shut down; NULL if it was not */

    /* The watcher's: the window of the rate; valid while measured equals phase_word. */
    uint64_t measured, window_begin_ms, window_bytes;
};

/* Starts the watcher. 0 with *ret, owned by the caller (connections_free), or negative. */
int connections_new(const struct connection_limits *limits, struct connections **ret, struct error *err) MUST_USE;

struct connections_counters {
    uint64_t open;    /* now */
    uint64_t refused; /* because their client had reached most_per_address */
    uint64_t ended;   /* because they were overdue */
};

/* After the last connection was removed. Takes NULL. */
void connections_free(struct connections *connections);

/* Whether a client at that address may have one more. From any thread, as all that follow. */
bool connections_may_come(struct connections *connections, const struct sockaddr *address);

/*
 * A connection is there, in phase CONNECTION_HEAD. fd stays the caller's, and open until connections_remove();
 * watched is borrowed as long. address may be NULL.
 */
void connections_add(struct connections *connections, struct watched *watched, int fd, const struct sockaddr *address);
void connections_remove(struct connections *connections, struct watched *watched);

void connections_get_counters(struct connections *connections, struct connections_counters *ret);

/* Enters a phase; free if the connection is in it already. */
void connection_enter(struct watched *watched, enum connection_phase phase);

/* Notes that so many bytes were read or written. */
static inline void connection_count(struct watched *watched, size_t size)
{
    /* Only the connection's event thread writes it. */
    __atomic_store_n(&watched->moved, watched->moved + size, __ATOMIC_RELAXED);
}

/* Why it was shut down, in words for the log; NULL if it was not. */
const char *connection_get_cut(const struct watched *watched);
