#include "registry/api/fairness.h"

#include <string.h>

#include "common/client-network.h"

#define FNV_START 14695981039346656037u

/* FNV-1a. A collision only makes two principals share one queue. */
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
    return add(FNV_START, network, sizeof(network));
}

struct job_owner fairness_of_call(const struct call *call)
{
    const char *user = call->principal.name;
    uint64_t address = key_of_address(call->address);

    return (struct job_owner){
        .principal = *user ? add(FNV_START, user, strlen(user) + 1) : address, .address = address,
    };
}

const struct job_owner *fairness_get_owner(struct call *call)
{
    if (!call->has_owner)
        call->owner = fairness_of_call(call);
    call->has_owner = true;
    return &call->owner;
}

struct job_owner fairness_of_credentials(const char *address, const struct secbuf *user)
{
    return (struct job_owner){
        .principal = key_of_address(address), .address = add(FNV_START, user->data, user->size),
    };
}
