#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/*
 * The open connections of a server, and what is expected of each: libmicrohttpd's own timeout begins anew with every
 * byte, so that somebody who sends one a minute would keep a connection for ever. A thread looks at all of them
 * twice a second and shuts those down that are overdue. How much went over the wire the kernel counts, for TCP.
 */
struct connections;
struct connection;

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

/* 0 is without limit, everywhere. */
struct connection_limits {
    unsigned most;             /* connections */
    unsigned most_per_address; /* of one client (auth/client-network.h) */
    uint64_t head_ms, idle_ms, transfer_ms;
    unsigned min_rate; /* bytes a second, on average over each transfer_ms, unless it is we who are late */
};

/* Begins to look after connections. 0 with *ret, owned by the caller (connections_free), or negative. */
int connections_new(const struct connection_limits *limits, struct connections **ret, struct error *err) MUST_USE;

struct connections_counters {
    uint64_t open;    /* now */
    uint64_t refused; /* because their client had as many as he may */
    uint64_t ended;   /* because they were overdue */
};

/* When none is left. Takes NULL. */
void connections_free(struct connections *connections);

/* Whether a client at that address may have one more. From any thread, as all that follow. */
bool connections_may_come(struct connections *connections, const struct sockaddr *address);

/*
 * A connection is there, in phase CONNECTION_HEAD. fd stays the caller's, and open until connections_remove().
 * address may be NULL. NULL where memory is out: then nobody looks after it, which the functions below take.
 */
struct connection *connections_add(struct connections *connections, int fd, const struct sockaddr *address);
void connections_remove(struct connections *connections, struct connection *connection);

void connections_get_counters(struct connections *connections, struct connections_counters *ret);

/* Notes what it waits for now; costs nothing where that is so already. connection may be NULL. */
void connection_enter(struct connection *connection, enum connection_phase phase);
