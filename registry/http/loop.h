#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/error.h"
#include "common/macros.h"
#include "registry/http/turns.h"

/*
 * An event thread: it accepts connections and runs those that it has accepted, from their first
 * byte to their last. Everything in this struct is the thread's own, except what the mutex protects.
 */
struct connection;
struct server;

enum { LOOP_BUFFER_SIZE = 64 << 10, LOOP_DATE_SIZE = 40 };

struct loop {
    struct server *server;
    pthread_t thread;
    bool is_started;
    int epoll_fd, wake_fd;
    bool is_accepting; /* the listening sockets are in the epoll set */

    struct connection *open; /* all of this loop, by connection->next_open */
    struct turns turns;      /* of the connections that can go on */
    int64_t turn_end_us;     /* of the current turn, by monotonic_us() */

    /* Scratch memory for one connection at a time, so that idle connections need none. */
    char *input, *output;
    char date[LOOP_DATE_SIZE]; /* "Date: ...", of the second date_s */
    time_t date_s;

    pthread_mutex_t mutex;      /* of the following */
    struct connection *resumed; /* whose phase on a worker is over, by connection->next_resumed; the last one first */
    bool is_ending;
};

/* Starts the thread. server is borrowed, and its listening socket open. 0 or negative. */
int loop_start(struct loop *loop, struct server *server, unsigned number, struct error *err) MUST_USE;

/* Asks the thread to close all connections and to end, or to look at the server's flags again. From any thread. */
void loop_end(struct loop *loop);
void loop_wake(struct loop *loop);

/* Waits for the thread, and frees what the loop holds. For one that was not started, too. */
void loop_join(struct loop *loop);

/* Hands a connection back to its event thread. From any thread; the last thing that a worker does with it. */
void loop_resume(struct loop *loop, struct connection *connection);

/* On the loop's own thread: whether the current turn has taken its time, and other connections should go on. */
bool loop_is_turn_over(const struct loop *loop);

/* "Date: Mon, 30 Nov 2026 12:00:00 GMT\r\n", valid until the next call. On the loop's own thread. */
const char *loop_get_date(struct loop *loop);
