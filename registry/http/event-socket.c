#include "registry/http/event-socket.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

void event_socket_init(struct event_socket *socket, int fd)
{
    *socket = (struct event_socket){.fd = fd, .is_writable = true};
}

void event_socket_note(struct event_socket *socket, uint32_t events)
{
    if (events & ~(uint32_t)EPOLLOUT)
        socket->is_readable = true;
    if (events & ~(uint32_t)(EPOLLIN | EPOLLRDHUP))
        socket->is_writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        socket->has_hung_up = true;
}

ssize_t event_socket_read(struct event_socket *socket, void *ret_data, size_t size)
{
    ssize_t n;

    if (!socket->is_readable)
        return -EAGAIN;
    do
        n = recv(socket->fd, ret_data, size, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        socket->is_readable = false;
    /*
     * A short read has emptied the socket (epoll(7)), which saves a call that returns EAGAIN. After
     * a hang-up, epoll would not report the end again.
     */
    if (n > 0 && (size_t)n < size && !socket->has_hung_up)
        socket->is_readable = false;
    return n < 0 ? -errno : n;
}

ssize_t event_socket_write(struct event_socket *socket, const void *data, size_t size, int flags)
{
    ssize_t n;

    if (!socket->is_writable)
        return -EAGAIN;
    do
        n = send(socket->fd, data, size, MSG_NOSIGNAL | flags);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        socket->is_writable = false;
    return n < 0 ? -errno : n;
}

ssize_t event_socket_send_file(struct event_socket *socket, int file, uint64_t offset, size_t size)
{
    off_t at = (off_t)offset;
    ssize_t n;

    if (!socket->is_writable)
        return -EAGAIN;
    do
        n = sendfile(socket->fd, file, &at, size);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        socket->is_writable = false;
    return n < 0 ? -errno : n;
}
