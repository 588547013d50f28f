#include "registry/api/fairness.h"

#include <string.h>

#include "common/client-network.h"

/* FNV-1a: who finds a collision shares the turns of one other, and that is all. */
static uint64_t add(uint64_t key, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        key = (key ^ bytes[i]) * 1099511628211u;
    return key;
}

static uint64_t key_of_address(const char *address)
{
    unsigned char network[CLIENT_NETWORK_SIZE];

    client_network_of_text(address, network);
    return add(14695981039346656037u, network, sizeof(network));
}

uint64_t fairness_of_call(const struct call *call)
{
    const char *user = call->principal.name;

    return *user ? add(14695981039346656037u, user, strlen(user) + 1) : key_of_address(call->request->address);
}

uint64_t fairness_of_credentials(const char *address, const struct secbuf *user)
{
    return add(key_of_address(address), user->data, user->size);
}
