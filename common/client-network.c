/*
 * Limits apply to each client. A client is identified by the part of its address that it cannot
 * choose: the whole IPv4 address, or the first half of an IPv6 address.
 */
#include "common/client-network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void take_ipv4(const void *address, unsigned char *ret_network)
{
    ret_network[0] = 4;
    memcpy(ret_network + 1, address, 4);
}

static void take_ipv6(const struct in6_addr *address, unsigned char *ret_network)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        take_ipv4(address->s6_addr + 12, ret_network);
        return;
    }
    ret_network[0] = 6;
    memcpy(ret_network + 1, address->s6_addr, 8);
}

void client_network_of_text(const char *address, unsigned char ret_network[CLIENT_NETWORK_SIZE])
{
    struct in6_addr ipv6;
    struct in_addr ipv4;
    char bare[INET6_ADDRSTRLEN];
    size_t size;

    explicit_bzero(ret_network, CLIENT_NETWORK_SIZE);
    /* Without the interface of a link-local address: "fe80::1%eth0". */
    size = strcspn(address, "%");
    if (size >= sizeof(bare))
        return;
    memcpy(bare, address, size);
    bare[size] = '\0';
    if (inet_pton(AF_INET, bare, &ipv4) == 1)
        take_ipv4(&ipv4, ret_network);
    else if (inet_pton(AF_INET6, bare, &ipv6) == 1)
        take_ipv6(&ipv6, ret_network);
}

void client_network_of_socket(const struct sockaddr *address,
                              unsigned char ret_network[CLIENT_NETWORK_SIZE])
{
    explicit_bzero(ret_network, CLIENT_NETWORK_SIZE);
    if (address->sa_family == AF_INET)
        take_ipv4(&((const struct sockaddr_in *)address)->sin_addr, ret_network);
    else if (address->sa_family == AF_INET6)
        take_ipv6(&((const struct sockaddr_in6 *)address)->sin6_addr, ret_network);
}
