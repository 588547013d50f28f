#include "registry/api/client-address.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LIST_SIZE = 2048 };

static bool is_proxy(const char *address, const struct network *proxies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (network_contains(&proxies[i], address))
            return true;
    return false;
}

/*
 * Copies one element of the list without spaces, and without the port and brackets that some
 * proxies add.
 */
static void trim(const char *element, char ret_address[REQUEST_ADDRESS_MAX])
{
    char *colon;

    element += strspn(element, " \t[");
    snprintf(ret_address, REQUEST_ADDRESS_MAX, "%.*s", (int)strcspn(element, " \t]"), element);
    colon = strchr(ret_address, ':');
    if (colon && strchr(ret_address, '.') && !strchr(colon + 1, ':'))
        *colon = '\0';
}

enum client_path client_address_find(const struct request *request, const struct network *proxies,
                                     size_t proxy_count, char ret_address[REQUEST_ADDRESS_MAX])
{
    char list[LIST_SIZE], address[REQUEST_ADDRESS_MAX], *comma = list;
    enum client_path path = CLIENT_BEHIND_PROXY;

    memcpy(ret_address, request->address, REQUEST_ADDRESS_MAX);
    if (!is_proxy(request->address, proxies, proxy_count))
        return CLIENT_DIRECT;
    if (request_join_header(request, "X-Forwarded-For", list, sizeof(list)) < 0)
        return CLIENT_BEHIND_PROXY;
    while (comma && is_proxy(ret_address, proxies, proxy_count)) {
        comma = strrchr(list, ',');
        trim(comma ? comma + 1 : list, address);
        if (comma)
            *comma = '\0';
        /* "unknown" or a name: then only the proxy's address is known */
        if (!network_is_address(address))
            break;
        memcpy(ret_address, address, sizeof(address));
        path = CLIENT_FORWARDED;
    }
    return path;
}
