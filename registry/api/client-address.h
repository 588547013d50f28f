#pragma once

#include <stddef.h>

#include "common/network.h"
#include "registry/http/request.h"

/*
 * Whose request it is: the address at the other end of the connection, or, where that is a proxy of the list, the one
 * that the proxy names in X-Forwarded-For. Of several addresses the last counts that is not a proxy of the list itself;
 * the client may have made up those before it. True where a proxy named it.
 */
bool client_address_find(const struct request *request, const struct network *proxies, size_t proxy_count,
                         char ret_address[REQUEST_ADDRESS_MAX]);

/* Whether the address, that of the other end of a connection, is of one of the proxies. */
bool client_address_is_proxy(const char *address, const struct network *proxies, size_t count);
