#pragma once

#include <stddef.h>

#include "common/network.h"
#include "registry/http/request.h"

/*
 * Finds the address of the client: the other end of the connection or, if that is a proxy of the list, the address in
 * its X-Forwarded-For. Of several addresses, the last one that is not itself a proxy of the list counts, because the
 * client may have invented those before it. True if a proxy named the address.
 */
bool client_address_find(const struct request *request, const struct network *proxies, size_t proxy_count,
                         char ret_address[REQUEST_ADDRESS_MAX]);

/* Whether the address, that of the other end of a connection, is of one of the proxies. */
bool client_address_is_proxy(const char *address, const struct network *proxies, size_t count);
