/*
 * Each connection's phase and its beginning are one atomic word, so that event threads note them without a lock and the
 * thread that looks after the connections reads both as they belong together. Everything else of a connection is that
 * thread's own, or the lock's.
 */
#include "registry/http/connections.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/monotonic.h"
#include "common/random.h"
#include "registry/access/client-network.h"

enum { TICK_MS = 500, BUCKETS = 4096, PHASE_BITS = 3, CROWDED_DIVISOR = 8 };

/* How many connections one client has, while he has any. */
struct client {
    unsigned char network[CLIENT_NETWORK_SIZE];
    unsigned count;
    struct client *next;
};

struct connection {
    struct connection *next, *before;
    struct client *client; /* NULL: not counted */
    int fd;
    uint64_t phase_word; /* atomic: when the phase began, in milliseconds, and in the low bits which */

    /* The watcher's: what it measures the rate by, as long as measured is the phase's word. */
    uint64_t measured, window_begin_ms, window_bytes;
};

struct connections {
    struct connection_limits limits;
    pthread_mutex_t lock; /* of all below but the thread */
    pthread_cond_t end;
    bool is_ending;
    struct connection *first;
    unsigned count;
    uint64_t refused, ended;
    uint64_t seed;
    struct client *buckets[BUCKETS];
    pthread_t watcher;
    bool has_watcher;
};

/* --- clients; the lock is held ------------------------------------------------------------ */

/* The seed is random and never shown, so that nobody can choose networks of one bucket. */
static struct client **find_client(struct connections *connections, const unsigned char *network)
{
    uint64_t hash = connections->seed;
    struct client **at;

    for (size_t i = 0; i < CLIENT_NETWORK_SIZE; i++)
        hash = (hash ^ network[i]) * 0x9E3779B97F4A7C15u;
    at = &connections->buckets[(hash >> 40) % BUCKETS];
    while (*at && memcmp((*at)->network, network, CLIENT_NETWORK_SIZE) != 0)
        at = &(*at)->next;
    return at;
}

static struct client *count_client(struct connections *connections, const unsigned char *network)
{
    struct client **at = find_client(connections, network);

    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (!*at)
            return NULL;
        memcpy((*at)->network, network, CLIENT_NETWORK_SIZE);
    }
    (*at)->count++;
    return *at;
}

static void uncount_client(struct connections *connections, struct client *client)
{
    struct client **at;

    if (!client || --client->count > 0)
        return;
    at = find_client(connections, client->network);
    *at = client->next;
    free(client);
}

bool connections_may_come(struct connections *connections, const struct sockaddr *address)
{
    unsigned most = connections->limits.most_per_address;
    unsigned char network[CLIENT_NETWORK_SIZE];
    const struct client *client;
    bool may_come;

    if (most == 0 || !address)
        return true;
    client_network_of_socket(address, network);
    if (network[0] == 0) /* who may reach a socket in the file system was decided by its folder's mode */
        return true;
    pthread_mutex_lock(&connections->lock);
    client = *find_client(connections, network);
    may_come = !client || client->count < most;
    connections->refused += !may_come;
    pthread_mutex_unlock(&connections->lock);
    return may_come;
}

/* --- connections that come and go ----------------------------------------------------------- */

struct connection *connections_add(struct connections *connections, int fd, const struct sockaddr *address)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    unsigned char network[CLIENT_NETWORK_SIZE];

    if (!connection)
        return NULL;
    connection->fd = fd;
    connection_enter(connection, CONNECTION_HEAD);
    if (address)
        client_network_of_socket(address, network);
    pthread_mutex_lock(&connections->lock);
    if (address)
        connection->client = count_client(connections, network);
    connection->next = connections->first;
    if (connections->first)
        connections->first->before = connection;
    connections->first = connection;
    connections->count++;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    uncount_client(connections, connection->client);
    *(connection->before ? &connection->before->next : &connections->first) = connection->next;
    if (connection->next)
        connection->next->before = connection->before;
    connections->count--;
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

void connections_get_counters(struct connections *connections, struct connections_counters *ret)
{
    pthread_mutex_lock(&connections->lock);
    *ret = (struct connections_counters){
        .open = connections->count, .refused = connections->refused, .ended = connections->ended,
    };
    pthread_mutex_unlock(&connections->lock);
}

/* --- phases --------------------------------------------------------------------------------- */

static uint64_t load_word(const struct connection *connection)
{
    return __atomic_load_n(&connection->phase_word, __ATOMIC_RELAXED);
}

static enum connection_phase phase_of(uint64_t word)
{
    return (enum connection_phase)(word & ((1 << PHASE_BITS) - 1));
}

void connection_enter(struct connection *connection, enum connection_phase phase)
{
    uint64_t word;

    if (!connection)
        return;
    word = load_word(connection);
    if (word == 0 || phase_of(word) != phase)
        __atomic_store_n(&connection->phase_word, (uint64_t)monotonic_ms() << PHASE_BITS | phase, __ATOMIC_RELAXED);
}

/* --- who is overdue; the lock is held --------------------------------------------------------- */

static bool is_over(uint64_t begin_ms, uint64_t limit_ms, uint64_t now)
{
    return limit_ms > 0 && now > begin_ms && now - begin_ms > limit_ms;
}

/* What the kernel has taken in from the client, or the client from the kernel. False for what is no TCP. */
static bool count_bytes(const struct connection *connection, enum connection_phase phase, uint64_t *ret_bytes)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    *ret_bytes = phase == CONNECTION_BODY ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
    return true;
}

/* Whether it is the client that we wait for, rather than he for us: bytes of his lie here, or none of ours are on the way. */
static bool is_client_late(const struct connection *connection, enum connection_phase phase)
{
    int waiting = 0;

    if (ioctl(connection->fd, phase == CONNECTION_BODY ? SIOCINQ : SIOCOUTQ, &waiting) < 0)
        return false;
    return phase == CONNECTION_BODY ? waiting == 0 : waiting > 0;
}

/* Measures from one look at the connection to the first that is transfer_ms later. */
static bool is_too_slow(struct connection *connection, uint64_t word, const struct connection_limits *limits, uint64_t now)
{
    bool is_first = connection->measured != word;
    enum connection_phase phase = phase_of(word);
    uint64_t bytes, passed_ms = now - connection->window_begin_ms, got;

    if (limits->min_rate == 0 || limits->transfer_ms == 0 || (!is_first && passed_ms < limits->transfer_ms) ||
        !count_bytes(connection, phase, &bytes))
        return false;
    got = bytes - connection->window_bytes;
    connection->measured = word;
    connection->window_begin_ms = now;
    connection->window_bytes = bytes;
    return !is_first && got * 1000 / passed_ms < limits->min_rate && is_client_late(connection, phase);
}

static bool is_overdue(struct connections *connections, struct connection *connection, uint64_t now)
{
    const struct connection_limits *limits = &connections->limits;
    bool is_crowded = limits->most > 0 && connections->count > limits->most - limits->most / 4;
    uint64_t word = load_word(connection), begin_ms = word >> PHASE_BITS;

    switch (phase_of(word)) {
    case CONNECTION_HEAD:
        return is_over(begin_ms, limits->head_ms, now);
    case CONNECTION_IDLE:
        return is_over(begin_ms, is_crowded ? limits->idle_ms / CROWDED_DIVISOR : limits->idle_ms, now);
    case CONNECTION_REFUSED:
        return is_over(begin_ms, limits->transfer_ms, now);
    case CONNECTION_BODY:
    case CONNECTION_ANSWER:
        return is_too_slow(connection, word, limits, now);
    default:
        return false;
    }
}

static void end_overdue(struct connections *connections)
{
    uint64_t now = (uint64_t)monotonic_ms();

    /* The event thread sees the end, and removes the connection before it closes the descriptor. */
    for (struct connection *connection = connections->first; connection; connection = connection->next)
        if (is_overdue(connections, connection, now)) {
            shutdown(connection->fd, SHUT_RDWR);
            connection_enter(connection, CONNECTION_WORK); /* once is enough */
            connections->ended++;
        }
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *watch(void *argument)
{
    struct connections *connections = argument;
    struct timespec until;

    pthread_setname_np(pthread_self(), "watcher");
    pthread_mutex_lock(&connections->lock);
    while (!connections->is_ending) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&connections->end, &connections->lock, &until) == ETIMEDOUT)
            end_overdue(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

/* Signals are for the main thread. */
static int start_watcher(struct connections *connections)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r = pthread_create(&connections->watcher, NULL, watch, connections);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    connections->has_watcher = r == 0;
    return -r;
}

int connections_new(const struct connection_limits *limits, struct connections **ret, struct error *err)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    pthread_condattr_t attributes;
    int r;

    if (!connections)
        return error_set_oom(err);
    connections->limits = *limits;
    random_bytes(&connections->seed, sizeof(connections->seed));
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->end, &attributes);
    pthread_condattr_destroy(&attributes);
    r = start_watcher(connections);
    if (r < 0) {
        connections_free(connections);
        return error_set_errno(err, -r, "cannot start the thread that looks after connections");
    }
    *ret = connections;
    return 0;
}

void connections_free(struct connections *connections)
{
    if (!connections)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->is_ending = true;
    pthread_cond_signal(&connections->end);
    pthread_mutex_unlock(&connections->lock);
    if (connections->has_watcher)
        pthread_join(connections->watcher, NULL);
    pthread_cond_destroy(&connections->end);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}
