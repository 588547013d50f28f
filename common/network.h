#pragma once

#include <stdbool.h>

#include "common/macros.h"

/* Networks of Internet addresses, as text has them: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1", and "unix". Pure. */
struct network {
    unsigned char address[16]; /* IPv4 as IPv6 has it: ::ffff:192.0.2.1 */
    unsigned bits;
    bool is_unix; /* clients of a socket in the file system, who have no address */
};

/* 0 or -EINVAL. */
int network_parse(const char *text, struct network *ret) MUST_USE;

/* Whether an address, as text, is in the network; "" is that of a client of a socket in the file system. */
bool network_contains(const struct network *network, const char *address);

/* Whether text is an address. */
bool network_is_address(const char *text);
