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
#include <unistd.h>

enum { BACKLOG = 4096 };

/* --- unix --------------------------------------------------------------------------- */

/* Removes a socket file that refuses connections: its server has ended. */
static void remove_stale(const struct sockaddr_un *address)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (fd >= 0 && lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
        errno == ECONNREFUSED)
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
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, BACKLOG) < 0)
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

/* getaddrinfo() may return an address twice. */
static bool is_repeated(const struct addrinfo *list, const struct addrinfo *info)
{
    for (; list != info; list = list->ai_next)
        if (list->ai_addrlen == info->ai_addrlen &&
            memcmp(list->ai_addr, info->ai_addr, info->ai_addrlen) == 0)
            return true;
    return false;
}

static void set_port(struct sockaddr *address, unsigned port)
{
    if (address->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

/*
 * Opens sockets for the addresses of one family. is_any: the address is a wildcard, for which one
 * socket is enough.
 */
static int open_family(const struct addrinfo *list, int family, bool is_any, struct listeners *ret)
{
    for (const struct addrinfo *info = list; info && ret->count < LISTEN_MAX;
         info = info->ai_next) {
        int fd;

        if (info->ai_family != family || is_repeated(list, info) || (is_any && ret->count > 0))
            continue;
        if (ret->port)
            set_port(info->ai_addr, ret->port);
        fd = open_one(info);
        if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
            continue;
        if (fd < 0)
            return fd;
        ret->fds[ret->count++] = fd;
        ret->port = port_of(fd);
    }
    return 0;
}

/* IPv6 comes first, because its "all addresses" includes those of IPv4. */
static int open_all(const struct addrinfo *list, bool is_any, struct listeners *ret)
{
    int r = open_family(list, AF_INET6, is_any, ret);

    if (r == 0)
        r = open_family(list, AF_INET, is_any, ret);
    return r == 0 && ret->count == 0 ? -EADDRNOTAVAIL : r;
}

static int listen_tcp(const char *address, struct listeners *ret, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char host[256], port[32];
    int r;

    if (split(address, host, port) < 0)
        return error_set(err, EINVAL, "http.addr must be host:port or :port, not \"%s\"", address);
    r = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (r != 0)
        return error_set(err, EADDRNOTAVAIL, "cannot listen on %s: %s", address, gai_strerror(r));
    r = open_all(list, !*host, ret);
    freeaddrinfo(list);
    if (r == 0)
        return 0;
    listeners_close(ret);
    return error_set_errno(err, -r, "cannot listen on %s", address);
}

int listen_open(const char *net, const char *address, struct listeners *ret, struct error *err)
{
    int fd;

    *ret = (struct listeners){0};
    if (strcmp(net, "unix") != 0)
        return listen_tcp(address, ret, err);
    fd = listen_unix(address, err);
    if (fd < 0)
        return fd;
    ret->fds[ret->count++] = fd;
    return 0;
}

void listeners_close(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++)
        close(listeners->fds[i]);
    *listeners = (struct listeners){0};
}
