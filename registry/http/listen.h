#pragma once

#include "common/error.h"

/*
 * Opens a listening socket: "tcp" with "host:port", ":port" (all addresses) or "[::1]:port" (port 0: any),
 * or "unix" with a path (a socket that nobody listens on any more is replaced). The descriptor,
 * owned by the caller, or negative. *ret_port is the port (0 for unix).
 */
int listen_open(const char *net, const char *address, unsigned *ret_port, struct error *err);

/* The descriptor of one that listen_open() has opened, with its port. */
int listen_adopt(int fd, unsigned *ret_port);
