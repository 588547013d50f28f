/*
 * The daemon itself: libmicrohttpd with epoll and as many event threads as processors, and the
 * worker pools beside them.
 */
#include "registry/http/server.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "registry/http/listen.h"
#include "registry/http/request-private.h"
#include "registry/http/server-guard.h"
#include "registry/http/tls.h"

enum {
    CONNECTION_MEMORY = 16 << 10, /* for the head of a request; it stays resident while a connection is idle */
    SILENCE_MIN = 120, /* seconds without a byte, in whatever phase */
    WORKERS = 16,             /* most wait for the disk */
    WORKER_QUEUE = 8192,
    CHECKER_QUEUE = 8192,
    CHECKER_NICENESS = 5, /* bcrypt gives way to those who are already known */
    DRAIN_STEP_MS = 10,
};

/* Those that this process may use. */
static unsigned processor_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : get_nprocs();

    return count < 2 ? 2 : (unsigned)count;
}

/* We decode paths and queries ourselves, from what was sent. */
static size_t leave_as_it_is(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls, (void)connection;
    return strlen(text);
}

/* What the library has to say to who starts it is the reason why it does not; its own threads have nobody to tell. */
__attribute__((format(printf, 2, 0))) static void keep_complaint(void *cls, const char *format, va_list arguments)
{
    struct server *server = cls;

    if (pthread_equal(pthread_self(), server->starter))
        vsnprintf(server->complaint, sizeof(server->complaint), format, arguments);
}

/*
 * In seconds, for libmicrohttpd: what our own limits do not see, such as a socket in the file system on which nothing
 * moves. Longer than any of them, and none if one of them is.
 */
static unsigned silence_limit(const struct connection_limits *limits)
{
    const uint64_t all[] = {limits->head_ms, limits->idle_ms, limits->transfer_ms};
    uint64_t longest = SILENCE_MIN;

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i] == 0)
            return 0;
        if (all[i] / 1000 >= longest)
            longest = all[i] / 1000 + 1;
    }
    return longest < INT_MAX ? (unsigned)longest : 0;
}

static int start_daemon(struct server *server, int fd, struct error *err)
{
    const struct server_options *options = &server->options;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(intptr_t)tls_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)(options->is_tls13_only ? TLS13_PRIORITIES : TLS_PRIORITIES)},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem *extra = options->is_tls ? tls : &tls[ARRAY_SIZE(tls) - 1];
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (options->is_tls ? MHD_USE_TLS : 0);

    server->daemon = MHD_start_daemon(
        flags, 0, server_on_accept, server, server_on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, keep_complaint, server,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, processor_count(),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_LIMIT, options->limits.most,
        MHD_OPTION_CONNECTION_TIMEOUT, silence_limit(&options->limits),
        MHD_OPTION_NOTIFY_CONNECTION, server_on_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, server_on_uri, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, server_on_completed, server,
        MHD_OPTION_ARRAY, extra,
        MHD_OPTION_END);
    if (!server->daemon)
        return error_set(err, EIO, "cannot start the server on %s: %s", options->address, server->complaint);
    return 0;
}

static int start_pools(struct server *server, struct error *err)
{
    int r = guard_start(err);

    if (r == 0 && server->options.is_tls)
        r = handshakes_start(&server->handshakes, err);
    if (r == 0)
        r = worker_pool_start("worker", WORKERS, WORKER_QUEUE, 0, &server->workers, err);
    if (r == 0 && server->options.authenticator)
        r = worker_pool_start("checker", processor_count(), CHECKER_QUEUE, CHECKER_NICENESS, &server->checkers, err);
    return r;
}

int server_start(const struct server_options *options, struct server **ret, struct error *err)
{
    struct server *server = calloc(1, sizeof(*server));
    int fd, r;

    if (!server)
        return error_set_oom(err);
    server->options = *options;
    server->starter = pthread_self();
    fd = options->listener ? listen_adopt(options->listener, &server->port)
                           : listen_open(options->net, options->address, &server->port, err);
    r = fd < 0 ? fd : start_pools(server, err);
    if (r == 0)
        r = connections_new(&options->limits, &server->connections, err);
    if (r == 0)
        r = start_daemon(server, fd, err);
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        server_stop(server, 0);
        return r;
    }
    *ret = server;
    return 0;
}

unsigned server_get_port(const struct server *server)
{
    return server->port;
}

void server_count_connections(const struct server *server, struct connections_counters *ret)
{
    connections_get_counters(server->connections, ret);
}

/* Waits until none of these is left, or timeout_ms are over. */
static void wait_for_none(const unsigned *count, unsigned timeout_ms)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000L * 1000};

    for (unsigned waited = 0; waited < timeout_ms; waited += DRAIN_STEP_MS) {
        if (__atomic_load_n(count, __ATOMIC_SEQ_CST) == 0)
            return;
        nanosleep(&step, NULL);
    }
}

/* libmicrohttpd must not be ended while a connection is suspended. */
static void stop_daemon(struct server *server, unsigned timeout_ms)
{
    int fd = MHD_quiesce_daemon(server->daemon);

    wait_for_none(&server->under_way, timeout_ms);
    __atomic_store_n(&server->is_stopping, true, __ATOMIC_SEQ_CST);
    wait_for_none(&server->handed_over, UINT_MAX);
    handshakes_stop(server->handshakes);
    MHD_stop_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
}

void server_stop(struct server *server, unsigned timeout_ms)
{
    if (!server)
        return;
    if (server->daemon)
        stop_daemon(server, timeout_ms);
    handshakes_free(server->handshakes);
    worker_pool_stop(server->checkers);
    worker_pool_stop(server->workers);
    connections_free(server->connections);
    free(server);
}
