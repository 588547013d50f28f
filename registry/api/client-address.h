#pragma once

#include <stddef.h>

#include "common/network.h"
#include "registry/http/request.h"

/* How a request reached the server. Only its trusted proxies count as proxies. */
enum client_path {
    CLIENT_DIRECT,
    CLIENT_BEHIND_PROXY, /* the proxy did not say who the client is */
    CLIENT_FORWARDED,    /* the proxy named the client's address in X-Forwarded-For */
};

/*
 * Finds the address of the client: the peer of the connection or, if that is a trusted proxy, an
 * address in its X-Forwarded-For. Of several addresses, the last one that is not a trusted proxy
 * counts, because the client may have invented those before it.
 */
enum client_path client_address_find(const struct request *request, const struct network *proxies,
                                     size_t proxy_count, char ret_address[REQUEST_ADDRESS_MAX]);
