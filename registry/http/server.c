/*
 * Starts and stops the server: its listening sockets and event threads.
 */
#include "registry/http/server-private.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_STEP_MS = 10 };

unsigned server_count_threads(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : get_nprocs();

    return count < 2 ? 2 : (unsigned)count;
}

static int start_tls(struct server *server, struct error *err)
{
    const struct server_options *options = &server->options;

    if (!options->is_tls)
        return 0;
    return tls_context_new(&(struct tls_options){
        .is_tls13_only = options->is_tls13_only,
        .demand = options->demand,
    }, &server->tls, err);
}

static int start_loops(struct server *server, struct error *err)
{
    unsigned count = server_count_threads();
    int r = 0;

    server->loops = calloc(count, sizeof(*server->loops));
    if (!server->loops)
        return error_set_oom(err);
    while (r == 0 && server->loop_count < count) {
        r = loop_start(&server->loops[server->loop_count], server, server->loop_count, err);
        server->loop_count++;
    }
    return r;
}

int server_start(const struct server_options *options, struct server **ret, struct error *err)
{
    struct server *server = calloc(1, sizeof(*server));
    int r;

    if (!server) {
        struct listeners listeners = options->listeners;

        listeners_close(&listeners);
        return error_set_oom(err);
    }
    server->options = *options;
    r = start_tls(server, err);
    if (r == 0)
        r = connections_new(&options->limits, &server->connections, err);
    if (r == 0)
        r = start_loops(server, err);
    if (r < 0) {
        server_stop(server, 0);
        return r;
    }
    *ret = server;
    return 0;
}

unsigned server_get_port(const struct server *server)
{
    return server->options.listeners.port;
}

void server_count_connections(const struct server *server, struct connections_counters *ret)
{
    connections_get_counters(server->connections, ret);
}

/* Waits until *count is 0, or timeout_ms have passed. */
static void wait_for_none(const unsigned *count, unsigned timeout_ms)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000L * 1000};

    for (unsigned waited = 0; waited < timeout_ms; waited += DRAIN_STEP_MS) {
        if (__atomic_load_n(count, __ATOMIC_SEQ_CST) == 0)
            return;
        nanosleep(&step, NULL);
    }
}

static void for_each_loop(struct server *server, void (*each)(struct loop *loop))
{
    for (unsigned i = 0; i < server->loop_count; i++)
        each(&server->loops[i]);
}

/*
 * Ends the loops when no worker has a connection any more, because such a connection must not be
 * freed.
 */
static void stop_loops(struct server *server, unsigned timeout_ms)
{
    __atomic_store_n(&server->state, SERVER_DRAINING, __ATOMIC_SEQ_CST);
    for_each_loop(server, loop_wake);
    wait_for_none(&server->under_way, timeout_ms);
    __atomic_store_n(&server->state, SERVER_STOPPING, __ATOMIC_SEQ_CST);
    if (server->options.handler->hurry)
        server->options.handler->hurry(server->options.handler->context);
    wait_for_none(&server->handed_over, UINT_MAX);
    for_each_loop(server, loop_end);
    for_each_loop(server, loop_join);
}

void server_stop(struct server *server, unsigned timeout_ms)
{
    if (!server)
        return;
    stop_loops(server, timeout_ms);
    listeners_close(&server->options.listeners);
    connections_free(server->connections);
    tls_context_free(server->tls);
    free(server->loops);
    free(server);
}
