#include "registry/cli/doctor/public-address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "host", "host:port" or "[::1]:port", of size bytes. */
static int split(const char *text, size_t size, struct public_address *ret)
{
    const char *end = text + size, *close = *text == '[' ? memchr(text, ']', size) : NULL;
    const char *host = close ? text + 1 : text, *host_end = close, *colon;

    if (*text == '[' && !close)
        return -EINVAL;
    colon = memchr(close ? close : text, ':', (size_t)(end - (close ? close : text)));
    if (!host_end)
        host_end = colon ? colon : end;
    if ((size_t)(host_end - host) >= sizeof(ret->host) ||
        (colon && (size_t)(end - colon) > sizeof(ret->port)))
        return -EINVAL;
    snprintf(ret->host, sizeof(ret->host), "%.*s", (int)(host_end - host), host);
    if (colon)
        snprintf(ret->port, sizeof(ret->port), "%.*s", (int)(end - colon - 1), colon + 1);
    return 0;
}

int public_address_parse(const char *url, struct public_address *ret)
{
    static const char https[] = "https://", http[] = "http://";
    bool is_tls = strncmp(url, https, strlen(https)) == 0;
    const char *rest;
    size_t size;

    if (!is_tls && strncmp(url, http, strlen(http)) != 0)
        return -EINVAL;
    *ret = (struct public_address){.is_tls = is_tls};
    snprintf(ret->port, sizeof(ret->port), "%s", is_tls ? "443" : "80");
    rest = url + (is_tls ? strlen(https) : strlen(http));
    size = strcspn(rest, "/");
    if (size == 0 || strlen(rest + size) >= sizeof(ret->path) || split(rest, size, ret) < 0)
        return -EINVAL;
    snprintf(ret->path, sizeof(ret->path), "%s", rest + size);
    size = strlen(ret->path);
    if (size > 0 && ret->path[size - 1] == '/')
        ret->path[size - 1] = '\0';
    return 0;
}

int public_address_of_listener(const char *listener, bool is_tls, struct public_address *ret)
{
    *ret = (struct public_address){.is_tls = is_tls};
    if (split(listener, strlen(listener), ret) < 0 || !*ret->port || strcmp(ret->port, "0") == 0)
        return -EINVAL;
    if (!*ret->host || strcmp(ret->host, "0.0.0.0") == 0 || strcmp(ret->host, "::") == 0)
        snprintf(ret->host, sizeof(ret->host), "127.0.0.1");
    return 0;
}
