#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/error.h"
#include "common/macros.h"
#include "registry/http/turns.h"

/*
 * An event thread, which accepts connections and runs them from their first byte to their last.
 * Only the thread uses this struct, except for the members that the mutex protects.
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
    struct turns turns; /* of the connections that can continue */
    int64_t turn_end_us;     /* of the current turn, by monotonic_us() */

    /* Scratch memory for one connection at a time, so that idle connections need none. */
    char *input, *output;
    char date[LOOP_DATE_SIZE]; /* "Date: ..." for the second date_s */
    time_t date_s;

    pthread_mutex_t mutex; /* protects the following members */
    /* handed back by workers, by connection->next_resumed; the last one first */
    struct connection *resumed;
    bool is_ending;
};

/* Starts the thread. server is borrowed; its listening sockets must be open. 0 or negative. */
int loop_start(struct loop *loop, struct server *server, unsigned number,
               struct error *err) MUST_USE;

/*
 * Asks the thread to check the server's flags again: to close all connections and end, or to drain.
 * Any thread may call it.
 */
void loop_end(struct loop *loop);
void loop_wake(struct loop *loop);

/* Waits for the thread to end, and frees the loop's memory. Accepts a loop that was not started. */
void loop_join(struct loop *loop);

/* Hands a connection back to its event thread. The worker must not use it afterwards. */
void loop_resume(struct loop *loop, struct connection *connection);

/* Whether the current turn has used its time. On the loop's thread. */
bool loop_is_turn_over(const struct loop *loop);

/* "Date: Mon, 30 Nov 2026 12:00:00 GMT\r\n", valid until the next call. On the loop's thread. */
const char *loop_get_date(struct loop *loop);
