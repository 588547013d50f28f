#pragma once

/*
 * The part of a client's address that identifies it: all 32 bits of IPv4, also in the form
 * ::ffff:192.0.2.1, and the first 64 bits of IPv6, because the client can choose the rest. Pure.
 */

enum { CLIENT_NETWORK_SIZE = 9 };

struct sockaddr;

/*
 * The family (4 or 6; 0 for a socket in the file system), then the bits in binary, filled up with
 * zeros.
 */
void client_network_of_text(const char *address, unsigned char ret_network[CLIENT_NETWORK_SIZE]);
void client_network_of_socket(const struct sockaddr *address,
                              unsigned char ret_network[CLIENT_NETWORK_SIZE]);
