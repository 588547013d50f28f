#pragma once

#include "common/error.h"

enum { LISTEN_MAX = 16 };

/* The listening sockets of one address: a name such as localhost may stand for several addresses, which share a port. */
struct listeners {
    int fds[LISTEN_MAX];
    unsigned count;
    unsigned port; /* 0: a socket in the file system */
};

/*
 * Opens "tcp" with "host:port", ":port" (all addresses) or "[::1]:port" (port 0: any), or "unix" with a path (a stale
 * socket is replaced). Of several addresses, those that this machine does not have are skipped. 0 with
 * *ret (owned by the caller, listeners_close()), or negative.
 */
int listen_open(const char *net, const char *address, struct listeners *ret, struct error *err) MUST_USE;

/* Closes all and leaves none. */
void listeners_close(struct listeners *listeners);
