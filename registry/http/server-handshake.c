/*
 * libmicrohttpd 0.9.75 takes a connection whose handshake lacks bytes for one that has bytes to read, and so its event
 * thread turns without pause until they come: for a whole round trip of every client, and for as long as it likes a
 * client that sends half a message. Here GnuTLS reads through a function of ours, which sees that. A client that is
 * near answers within a few turns; for any other the connection is suspended, as it is for a worker, and one
 * thread waits for all of these, with a deadline.
 *
 * The function also reads a record's header and what follows it in one call instead of two.
 */
#include "registry/http/server-handshake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "registry/http/tls.h"

enum {
    TURNS_FREE = 4,     /* of the event thread, before a connection is suspended */
    LONGEST_WAIT_S = 30, /* for the next bytes of a handshake */
    BUFFER_SIZE = 2048, /* the head of a request, as a rule */
    MOST_EVENTS = 64,
    STACK_SIZE = 64 << 10,
};

/* A TLS connection, from accept() to close(). */
struct handshake {
    struct tls_reader reader; /* first: one is the other */
    struct handshakes *all;
    struct MHD_Connection *connection;
    int fd;
    bool is_past;
    unsigned turns; /* without bytes */

    time_t deadline; /* of one that waits; this and the following under the mutex */
    struct handshake *next, *previous;

    size_t taken, filled; /* of the buffer */
    unsigned char buffer[BUFFER_SIZE];
};

struct handshakes {
    pthread_mutex_t mutex;
    bool is_stopping;
    struct handshake *waiting;
    int epoll_fd, wake_fd;
    pthread_t thread;
    bool has_thread;
};

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* --- waiting; the mutex is held --------------------------------------------------------- */

static void wake(struct handshakes *handshakes)
{
    (void)!eventfd_write(handshakes->wake_fd, 1);
}

/* False where nobody would wake it again. */
static bool join_waiting(struct handshakes *handshakes, struct handshake *handshake)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = handshake};

    MHD_suspend_connection(handshake->connection);
    if (epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_ADD, handshake->fd, &event) < 0) {
        MHD_resume_connection(handshake->connection);
        return false;
    }
    handshake->deadline = now_s() + LONGEST_WAIT_S;
    handshake->previous = NULL;
    handshake->next = handshakes->waiting;
    if (handshake->next)
        handshake->next->previous = handshake;
    else
        wake(handshakes); /* it waits without an end while nobody is here */
    handshakes->waiting = handshake;
    return true;
}

/* The connection goes on, and is the event thread's again. */
static void leave_waiting(struct handshakes *handshakes, struct handshake *handshake)
{
    *(handshake->previous ? &handshake->previous->next : &handshakes->waiting) = handshake->next;
    if (handshake->next)
        handshake->next->previous = handshake->previous;
    epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_DEL, handshake->fd, NULL);
    MHD_resume_connection(handshake->connection);
}

/* Ends the handshakes whose time is over, or all. */
static void end_waiting(struct handshakes *handshakes, time_t now, bool is_for_all)
{
    for (struct handshake *handshake = handshakes->waiting, *next; handshake; handshake = next) {
        next = handshake->next;
        if (!is_for_all && handshake->deadline > now)
            continue;
        shutdown(handshake->fd, SHUT_RDWR); /* what it reads next is the end */
        leave_waiting(handshakes, handshake);
    }
}

/* --- the thread ------------------------------------------------------------------------- */

static void handle(struct handshakes *handshakes, const struct epoll_event *event)
{
    eventfd_t ignored;

    if (event->data.ptr)
        leave_waiting(handshakes, event->data.ptr);
    else
        (void)!eventfd_read(handshakes->wake_fd, &ignored);
}

/* Nobody else takes a handshake out of the list, so that the events are always of some that are there. */
static void *wait_for_clients(void *argument)
{
    struct handshakes *handshakes = argument;
    struct epoll_event events[MOST_EVENTS];
    bool is_stopping = false;
    int timeout_ms = -1;

    pthread_setname_np(pthread_self(), "handshakes");
    while (!is_stopping) {
        int count = epoll_wait(handshakes->epoll_fd, events, MOST_EVENTS, timeout_ms);

        pthread_mutex_lock(&handshakes->mutex);
        for (int i = 0; i < count; i++)
            handle(handshakes, &events[i]);
        is_stopping = handshakes->is_stopping;
        end_waiting(handshakes, now_s(), is_stopping);
        timeout_ms = handshakes->waiting ? 1000 : -1;
        pthread_mutex_unlock(&handshakes->mutex);
    }
    return NULL;
}

static int start_thread(struct handshakes *handshakes)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int r = pthread_attr_init(&attributes);

    if (r != 0)
        return -r;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r = pthread_create(&handshakes->thread, &attributes, wait_for_clients, handshakes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    handshakes->has_thread = r == 0;
    return -r;
}

int handshakes_start(struct handshakes **ret, struct error *err)
{
    struct handshakes *handshakes = calloc(1, sizeof(*handshakes));
    struct epoll_event event = {.events = EPOLLIN};
    int r = 0;

    if (!handshakes)
        return error_set_oom(err);
    pthread_mutex_init(&handshakes->mutex, NULL);
    handshakes->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    handshakes->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (handshakes->epoll_fd < 0 || handshakes->wake_fd < 0 ||
        epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_ADD, handshakes->wake_fd, &event) < 0)
        r = -errno;
    if (r == 0)
        r = start_thread(handshakes);
    if (r < 0) {
        handshakes_free(handshakes);
        return error_set_errno(err, -r, "cannot start the thread that waits for handshakes");
    }
    *ret = handshakes;
    return 0;
}

void handshakes_stop(struct handshakes *handshakes)
{
    if (!handshakes || !handshakes->has_thread)
        return;
    pthread_mutex_lock(&handshakes->mutex);
    handshakes->is_stopping = true;
    wake(handshakes);
    pthread_mutex_unlock(&handshakes->mutex);
    pthread_join(handshakes->thread, NULL);
    handshakes->has_thread = false;
}

void handshakes_free(struct handshakes *handshakes)
{
    if (!handshakes)
        return;
    handshakes_stop(handshakes);
    if (handshakes->epoll_fd >= 0)
        close(handshakes->epoll_fd);
    if (handshakes->wake_fd >= 0)
        close(handshakes->wake_fd);
    pthread_mutex_destroy(&handshakes->mutex);
    free(handshakes);
}

/* --- reading, on event threads ---------------------------------------------------------- */

static ssize_t take(struct handshake *handshake, void *ret_data, size_t size)
{
    size_t left = handshake->filled - handshake->taken;

    if (size > left)
        size = left;
    memcpy(ret_data, handshake->buffer + handshake->taken, size);
    handshake->taken += size;
    return (ssize_t)size;
}

static ssize_t receive(struct handshake *handshake, void *ret_data, size_t size)
{
    ssize_t n = size < BUFFER_SIZE ? recv(handshake->fd, handshake->buffer, BUFFER_SIZE, 0)
                                   : recv(handshake->fd, ret_data, size, 0);

    if (n <= 0 || size >= BUFFER_SIZE)
        return n;
    handshake->taken = 0;
    handshake->filled = (size_t)n;
    return take(handshake, ret_data, size);
}

static void wait_if_far(struct handshake *handshake)
{
    struct handshakes *handshakes = handshake->all;

    if (handshake->is_past || handshake->turns++ < TURNS_FREE)
        return;
    handshake->turns = 0;
    pthread_mutex_lock(&handshakes->mutex);
    if (!handshakes->is_stopping)
        (void)join_waiting(handshakes, handshake);
    pthread_mutex_unlock(&handshakes->mutex);
}

static ssize_t read_handshake(struct tls_reader *reader, void *ret_data, size_t size)
{
    struct handshake *handshake = (struct handshake *)reader;
    ssize_t n;

    if (handshake->taken < handshake->filled)
        return take(handshake, ret_data, size);
    n = receive(handshake, ret_data, size);
    if (n >= 0) {
        handshake->turns = 0;
    } else if (errno == EAGAIN) {
        wait_if_far(handshake);
        errno = EAGAIN;
    }
    return n;
}

static void end_handshake(struct tls_reader *reader)
{
    struct handshake *handshake = (struct handshake *)reader;

    handshake->is_past = true;
}

struct handshake *handshakes_add(struct handshakes *handshakes, struct MHD_Connection *connection, int fd,
                                 struct gnutls_session_int *session)
{
    struct handshake *handshake = malloc(sizeof(*handshake));

    if (!handshake)
        return NULL;
    handshake->reader = (struct tls_reader){.read = read_handshake, .end_handshake = end_handshake};
    handshake->all = handshakes;
    handshake->connection = connection;
    handshake->fd = fd;
    handshake->is_past = false;
    handshake->turns = 0;
    handshake->taken = handshake->filled = 0;
    tls_set_reader(session, fd, &handshake->reader);
    return handshake;
}

void handshake_free(struct handshake *handshake)
{
    free(handshake);
}
