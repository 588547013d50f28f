/*
 * An event thread. epoll is edge-triggered: it reports once that a socket is readable or writable,
 * and the connection remembers it, so that a request needs no epoll_ctl().
 */
#include "registry/http/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/http/connection.h"

enum {
    EVENTS = 256,
    /* how many connections are accepted at a time, before existing ones have their turn */
    ACCEPTS = 16,
    PAUSE_MS = 100, /* how long to stop accepting when descriptors or connections are exhausted */
    TURN_US = 300, /* the length of one connection's turn */
    ROUND_US = 500, /* how long turns run before the next epoll_wait() */
    STACK_SIZE = 512 << 10,
};

/* epoll's data points to these for events that belong to no connection. */
static char listener_tag[LISTEN_MAX], wake_tag;

/* --- wake-ups -------------------------------------------------------------------------------- */

void loop_wake(struct loop *loop)
{
    (void)!eventfd_write(loop->wake_fd, 1);
}

void loop_end(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->is_ending = true;
    pthread_mutex_unlock(&loop->mutex);
    loop_wake(loop);
}

void loop_resume(struct loop *loop, struct connection *connection)
{
    bool is_first;

    pthread_mutex_lock(&loop->mutex);
    is_first = !loop->resumed;
    connection->next_resumed = loop->resumed;
    loop->resumed = connection;
    /* With the mutex held, because the loop may end as soon as it can take the connection. */
    if (is_first)
        loop_wake(loop);
    pthread_mutex_unlock(&loop->mutex);
}

bool loop_is_turn_over(const struct loop *loop)
{
    return monotonic_us() >= loop->turn_end_us;
}

const char *loop_get_date(struct loop *loop)
{
    time_t now = time(NULL);
    struct tm tm;

    /* The program keeps to the C locale, whose names of days are those of HTTP. */
    if (now != loop->date_s && gmtime_r(&now, &tm) &&
        strftime(loop->date, sizeof(loop->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm) > 0)
        loop->date_s = now;
    return loop->date;
}

/* --- new connections ------------------------------------------------------------------------- */

static int add_to_epoll(const struct loop *loop, int fd, uint32_t events, void *tag)
{
    struct epoll_event event = {.events = events, .data.ptr = tag};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* EPOLLEXCLUSIVE: the kernel wakes one waiting loop for each connection. */
static void start_accepting(struct loop *loop)
{
    const struct listeners *listeners = &loop->server->options.listeners;

    for (unsigned i = 0; i < listeners->count; i++)
        if (add_to_epoll(loop, listeners->fds[i], EPOLLIN | EPOLLEXCLUSIVE, &listener_tag[i]) == 0)
            loop->is_accepting = true;
}

static void stop_accepting(struct loop *loop)
{
    const struct listeners *listeners = &loop->server->options.listeners;

    for (unsigned i = 0; loop->is_accepting && i < listeners->count; i++)
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, listeners->fds[i], NULL);
    loop->is_accepting = false;
}

static void take_in(struct loop *loop, int fd, const struct sockaddr *address)
{
    const int on = 1;
    struct connection *connection;

    if (!connections_may_come(loop->server->connections, address)) {
        close(fd);
        __atomic_sub_fetch(&loop->server->open, 1, __ATOMIC_SEQ_CST);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection = connection_new(loop, fd, address);
    if (!connection) {
        __atomic_sub_fetch(&loop->server->open, 1, __ATOMIC_SEQ_CST);
        return;
    }
    /* epoll reports immediately what has already arrived. */
    if (add_to_epoll(loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, connection) < 0)
        connection_free(connection);
}

/* Counts one more connection, if the limit allows it. */
static bool has_place(struct server *server)
{
    unsigned most = server->options.limits.most;

    if (__atomic_add_fetch(&server->open, 1, __ATOMIC_SEQ_CST) <= most || most == 0)
        return true;
    __atomic_sub_fetch(&server->open, 1, __ATOMIC_SEQ_CST);
    return false;
}

static bool is_passing(int code)
{
    return code == EINTR || code == ECONNABORTED || code == EPROTO || code == ENETDOWN ||
           code == EHOSTUNREACH || code == ENETUNREACH || code == ENOPROTOOPT ||
           code == EOPNOTSUPP || code == EHOSTDOWN || code == ENONET;
}

static void accept_some(struct loop *loop, int listener)
{
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd;

        if (!has_place(loop->server)) {
            stop_accepting(loop);
            return;
        }
        address.ss_family = AF_UNSPEC;
        fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_in(loop, fd, (const struct sockaddr *)&address);
            continue;
        }
        __atomic_sub_fetch(&loop->server->open, 1, __ATOMIC_SEQ_CST);
        if (is_passing(errno))
            continue;
        if (errno != EAGAIN) /* descriptors or memory are exhausted */
            stop_accepting(loop);
        return;
    }
}

/* --- the thread ------------------------------------------------------------------------------ */

static bool is_listener(const void *tag)
{
    return (uintptr_t)tag >= (uintptr_t)listener_tag &&
           (uintptr_t)tag < (uintptr_t)(listener_tag + LISTEN_MAX);
}

static void handle(struct loop *loop, const struct epoll_event *event)
{
    struct connection *connection;
    eventfd_t ignored;

    if (is_listener(event->data.ptr)) {
        accept_some(loop,
                    loop->server->options.listeners.fds[(char *)event->data.ptr - listener_tag]);
    } else if (event->data.ptr == &wake_tag) {
        (void)!eventfd_read(loop->wake_fd, &ignored);
    } else {
        connection = event->data.ptr;
        event_socket_note(&connection->socket, event->events);
        if (connection->state != STATE_WORKER)
            turns_add(&loop->turns, &connection->turn);
    }
}

/* Queues the turns of connections that workers handed back. Returns true if the loop must end. */
static bool take_resumed(struct loop *loop)
{
    struct connection *connection;
    bool is_ending;

    pthread_mutex_lock(&loop->mutex);
    connection = loop->resumed;
    loop->resumed = NULL;
    is_ending = loop->is_ending;
    pthread_mutex_unlock(&loop->mutex);
    for (; connection; connection = connection->next_resumed)
        turns_add(&loop->turns, &connection->turn);
    return is_ending;
}

static void run_turn(struct turn *turn)
{
    struct connection *connection =
        (struct connection *)((char *)turn - offsetof(struct connection, turn));

    if (connection->state == STATE_WORKER)
        connection_resume(connection);
    else
        connection_run(connection);
}

static void run_turns(struct loop *loop)
{
    int64_t now_us = monotonic_us(), end_us = now_us + ROUND_US;

    while (now_us < end_us && !turns_is_empty(&loop->turns)) {
        loop->turn_end_us = now_us + TURN_US;
        run_turn(turns_take(&loop->turns));
        now_us = monotonic_us();
    }
}

static int choose_timeout(const struct loop *loop)
{
    if (!turns_is_empty(&loop->turns))
        return 0;
    return loop->is_accepting || server_is_draining(loop->server) ? -1 : PAUSE_MS;
}

static void settle(const struct loop *loop)
{
    const struct http_handler *handler = loop->server->options.handler;

    if (handler->settle)
        handler->settle(handler->context);
}

static void *run(void *argument)
{
    struct loop *loop = argument;
    struct epoll_event events[EVENTS];
    bool is_ending = false;

    while (!is_ending) {
        int count;

        settle(loop);
        count = epoll_wait(loop->epoll_fd, events, EVENTS, choose_timeout(loop));

        for (int i = 0; i < count; i++)
            handle(loop, &events[i]);
        is_ending = take_resumed(loop);
        /* A turn may free its connection, so all events were recorded before. */
        run_turns(loop);
        if (server_is_draining(loop->server))
            stop_accepting(loop);
        else if (!loop->is_accepting)
            start_accepting(loop);
    }
    while (loop->open)
        connection_free(loop->open);
    settle(loop);
    return NULL;
}

static int start_thread(struct loop *loop, unsigned number)
{
    char name[16];
    pthread_attr_t attributes;
    sigset_t all, before;
    int r = pthread_attr_init(&attributes);

    if (r != 0)
        return -r;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r = pthread_create(&loop->thread, &attributes, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (r != 0)
        return -r;
    loop->is_started = true;
    snprintf(name, sizeof(name), "events-%u", number);
    pthread_setname_np(loop->thread, name);
    return 0;
}

int loop_start(struct loop *loop, struct server *server, unsigned number, struct error *err)
{
    int r = 0;

    *loop = (struct loop){.server = server, .date_s = -1};
    pthread_mutex_init(&loop->mutex, NULL);
    turns_init(&loop->turns);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->input = malloc(LOOP_BUFFER_SIZE);
    loop->output = malloc(LOOP_BUFFER_SIZE);
    if (!loop->input || !loop->output)
        return error_set_oom(err);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0)
        r = -errno;
    if (r == 0)
        r = add_to_epoll(loop, loop->wake_fd, EPOLLIN, &wake_tag);
    if (r == 0) {
        start_accepting(loop);
        r = start_thread(loop, number);
    }
    return r < 0 ? error_set_errno(err, -r, "cannot start an event thread") : 0;
}

void loop_join(struct loop *loop)
{
    if (loop->is_started)
        pthread_join(loop->thread, NULL);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    free(loop->input);
    free(loop->output);
    pthread_mutex_destroy(&loop->mutex);
}
