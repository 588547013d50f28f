#pragma once

#include <stdbool.h>

#include "common/macros.h"

/*
 * Networks of Internet addresses, in the notation "10.0.0.0/8", "2001:db8::/32", "192.0.2.1", and
 * "unix". Pure.
 */
struct network {
    unsigned char address[16]; /* IPv4 as an IPv6 address: ::ffff:192.0.2.1 */
    unsigned bits;
    bool is_unix; /* clients of a socket in the file system, which have no address */
};

/* 0 or -EINVAL. */
int network_parse(const char *text, struct network *ret) MUST_USE;

/*
 * Whether an address in text form is in the network; "" is the address of a client of a socket in
 * the file system.
 */
bool network_contains(const struct network *network, const char *address);

/* Whether text is an address. */
bool network_is_address(const char *text);
