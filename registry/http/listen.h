#pragma once

#include "common/error.h"

enum { LISTEN_MAX = 16 };

/*
 * The listening sockets of one setting. A name such as localhost may have several addresses, which
 * share a port.
 */
struct listeners {
    int fds[LISTEN_MAX];
    unsigned count;
    unsigned port; /* 0: a socket in the file system */
};

/*
 * Listens on net "tcp" with "host:port", ":port" (all addresses) or "[::1]:port" (port 0: any), or
 * on "unix" with a path (a stale socket is replaced). Of several addresses, those that this machine
 * does not have are skipped. Returns 0 with *ret (owned by the caller, free with
 * listeners_close()), or negative.
 */
int listen_open(const char *net, const char *address, struct listeners *ret,
                struct error *err) MUST_USE;

/* Closes all sockets and empties the list. */
void listeners_close(struct listeners *listeners);
