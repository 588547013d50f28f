#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A non-blocking socket in an edge-triggered epoll set. epoll reports each change once, so the
 * socket remembers whether it is readable and writable until a call returns EAGAIN. Functions that
 * read or write return the number of bytes, or -errno; -EAGAIN means that epoll will report when to
 * try again.
 */
struct event_socket {
    int fd;
    bool is_readable, is_writable;
    bool has_hung_up; /* epoll reported the end of the stream after the bytes in the socket */
};

/* A new socket counts as writable. It counts as readable when epoll reports it. */
void event_socket_init(struct event_socket *socket, int fd);

/* Records the events that epoll_wait() reported. */
void event_socket_note(struct event_socket *socket, uint32_t events);

/* 0 at the end of the stream. */
ssize_t event_socket_read(struct event_socket *socket, void *ret_data, size_t size);

/* flags: 0 or MSG_MORE. */
ssize_t event_socket_write(struct event_socket *socket, const void *data, size_t size, int flags);

/* Sends size bytes of the file from offset on. */
ssize_t event_socket_send_file(struct event_socket *socket, int file, uint64_t offset, size_t size);
