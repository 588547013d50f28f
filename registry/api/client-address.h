#pragma once

#include <stddef.h>

#include "common/network.h"
#include "registry/http/request.h"

/*
 * Finds the address of the client: the peer of the connection or, if that is a trusted proxy, an
 * address in its X-Forwarded-For. Of several addresses, the last one that is not a trusted proxy
 * counts, because the client may have invented those before it. Returns true if the address comes
 * from X-Forwarded-For.
 */
bool client_address_find(const struct request *request, const struct network *proxies,
                         size_t proxy_count, char ret_address[REQUEST_ADDRESS_MAX]);

/* Whether address, the peer of a connection, belongs to one of the proxies. */
bool client_address_is_proxy(const char *address, const struct network *proxies, size_t count);
