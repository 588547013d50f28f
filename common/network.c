#include "common/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_BITS = 128, IPV4_BITS = 32, TEXT_SIZE = INET6_ADDRSTRLEN + 8 };

/* The number of bits of an address of this family; 0 for another family. */
static unsigned parse_address(const char *text, unsigned char ret_address[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (inet_pton(AF_INET, text, ret_address + 12) == 1) {
        memcpy(ret_address, mapped, sizeof(mapped));
        return IPV4_BITS;
    }
    return inet_pton(AF_INET6, text, ret_address) == 1 ? ALL_BITS : 0;
}

int network_parse(const char *text, struct network *ret)
{
    struct network network = {.bits = ALL_BITS};
    char address[TEXT_SIZE];
    size_t size = strcspn(text, "/");
    unsigned kind;

    if (strcmp(text, "unix") == 0) {
        *ret = (struct network){.is_unix = true};
        return 0;
    }
    if (size >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, size);
    address[size] = '\0';
    kind = parse_address(address, network.address);
    if (kind == 0)
        return -EINVAL;
    if (text[size]) {
        const char *number = text + size + 1;
        size_t digits = strspn(number, "0123456789");
        unsigned long bits =
            digits > 0 && digits <= 3 && !number[digits] ? strtoul(number, NULL, 10) : ALL_BITS + 1;

        if (bits > kind)
            return -EINVAL;
        network.bits = (unsigned)bits + ALL_BITS - kind;
    }
    *ret = network;
    return 0;
}

bool network_contains(const struct network *network, const char *address)
{
    unsigned char bytes[16];
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    if (network->is_unix || !*address)
        return network->is_unix && !*address;
    if (parse_address(address, bytes) == 0 || memcmp(bytes, network->address, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ network->address[whole]) >> (8 - rest) == 0;
}

bool network_is_address(const char *text)
{
    unsigned char bytes[16];

    return parse_address(text, bytes) != 0;
}
