/*
 * Listening sockets, opened here rather than by the HTTP library, so that a failure can say which
 * address and why, and one socket serves IPv4 and IPv6.
 */
#include "registry/http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { BACKLOG = 4096 };

/* --- unix --------------------------------------------------------------------------- */

/* A socket file that refuses connections was left by a server that is gone. */
static void remove_stale(const struct sockaddr_un *address)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (fd >= 0 && lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
}

static int listen_unix(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_CLOSE int fd = -1;

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, ENAMETOOLONG, "http.addr: a socket's path has at most %zu bytes: %s",
                         sizeof(address.sun_path) - 1, path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    remove_stale(&address);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        return error_set_errno(err, errno, "cannot listen on the socket %s", path);
    return steal_fd(&fd);
}

/* --- tcp ---------------------------------------------------------------------------- */

/* Splits "host:port"; the host may be empty or in brackets. */
static int split(const char *address, char ret_host[256], char ret_port[32])
{
    const char *colon = strrchr(address, ':');
    size_t size = colon ? (size_t)(colon - address) : 0;

    if (!colon || size > 255 || strlen(colon + 1) > 31 || !colon[1])
        return -EINVAL;
    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    } else if (memchr(address, ':', size)) {
        return -EINVAL;
    }
    snprintf(ret_host, 256, "%.*s", (int)size, address);
    snprintf(ret_port, 32, "%s", colon + 1);
    return 0;
}

static int open_one(const struct addrinfo *info)
{
    const int on = 1, off = 0;
    CLEANUP_CLOSE int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* IPv6 first: its "all addresses" takes IPv4 too. */
static int open_first(const struct addrinfo *list)
{
    static const int families[] = {AF_INET6, AF_INET};
    int r = -EADDRNOTAVAIL;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        for (const struct addrinfo *info = list; info; info = info->ai_next) {
            if (info->ai_family != families[i])
                continue;
            r = open_one(info);
            if (r >= 0 || r == -EADDRINUSE || r == -EACCES)
                return r;
        }
    return r;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || address.ss_family == AF_UNIX)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int listen_tcp(const char *address, unsigned *ret_port, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char host[256], port[32];
    int r;

    if (split(address, host, port) < 0)
        return error_set(err, EINVAL, "http.addr is to be host:port or :port, not %s", address);
    r = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (r != 0)
        return error_set(err, EADDRNOTAVAIL, "cannot listen on %s: %s", address, gai_strerror(r));
    r = open_first(list);
    freeaddrinfo(list);
    if (r < 0)
        return error_set_errno(err, -r, "cannot listen on %s", address);
    *ret_port = port_of(r);
    return r;
}

int listen_open(const char *net, const char *address, unsigned *ret_port, struct error *err)
{
    int fd;

    if (strcmp(net, "unix") != 0)
        return listen_tcp(address, ret_port, err);
    fd = listen_unix(address, err);
    if (fd >= 0)
        *ret_port = 0;
    return fd;
}

int listen_adopt(int fd, unsigned *ret_port)
{
    *ret_port = port_of(fd);
    return fd;
}
