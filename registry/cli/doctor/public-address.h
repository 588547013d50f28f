#pragma once

#include <stdbool.h>

#include "common/macros.h"

/* The address of a server, from http.host ("https://example.com:5000/prefix") or from http.addr. */
struct public_address {
    bool is_tls;
    char host[256]; /* without brackets */
    char port[8];
    char path[256]; /* "" or "/prefix", before /v2/ */
};

/* 0, or -EINVAL if it is not such an address. */
int public_address_parse(const char *url, struct public_address *ret) MUST_USE;

/*
 * The address at which this machine can reach the "host:port" of http.addr. A wildcard becomes
 * 127.0.0.1. 0, or -EINVAL (also for port 0).
 */
int public_address_of_listener(const char *listener, bool is_tls,
                               struct public_address *ret) MUST_USE;
