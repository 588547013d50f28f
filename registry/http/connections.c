/*
 * Counts connections and shuts down those that are overdue. A connection's phase and its start time
 * are one atomic word, so that event threads write it without a lock and the watcher reads both
 * consistently. The watcher owns the rest of struct watched, or the lock protects it.
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
#include <unistd.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "common/random.h"
#include "common/client-network.h"

enum {
    TICK_MS = 500,
    BUCKETS = 4096,
    PHASE_BITS = 3,
    CROWDED_DIVISOR = 8,
    SLICE = 128, /* how many connections the watcher checks before it releases the lock */
    SLICE_PAUSE_US = 100,
};

/* Counts the connections of one client, while it has any. */
struct client {
    unsigned char network[CLIENT_NETWORK_SIZE];
    unsigned count;
    struct client *next;
};

struct connections {
    struct connection_limits limits;
    pthread_mutex_t lock; /* protects everything below except thread */
    pthread_cond_t end;
    bool is_ending;
    struct watched *first;
    /* the next one that the watcher checks; NULL: no round is in progress */
    struct watched *cursor;
    unsigned count;
    uint64_t refused, ended;
    uint64_t seed;
    struct client *buckets[BUCKETS];
    pthread_t watcher;
    bool has_watcher;
};

/* --- clients; the lock is held ------------------------------------------------------------ */

/* The seed is random and secret, so that an attacker cannot choose networks that share a bucket. */
static uint64_t hash_network(const struct connections *connections, const unsigned char *network)
{
    uint64_t hash = connections->seed;

    for (size_t i = 0; i < CLIENT_NETWORK_SIZE; i++)
        hash = (hash ^ network[i]) * 0x9E3779B97F4A7C15u;
    return hash >> 32;
}

static struct client **find_client(struct connections *connections, const unsigned char *network)
{
    struct client **at = &connections->buckets[hash_network(connections, network) % BUCKETS];

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
    /* access to a socket in the file system is controlled by its directory's mode */
    if (network[0] == 0)
        return true;
    pthread_mutex_lock(&connections->lock);
    client = *find_client(connections, network);
    may_come = !client || client->count < most;
    connections->refused += !may_come;
    pthread_mutex_unlock(&connections->lock);
    return may_come;
}

/* --- adding and removing connections -------------------------------------------------------- */

void connections_add(struct connections *connections, struct watched *watched, int fd,
                     const struct sockaddr *address)
{
    unsigned char network[CLIENT_NETWORK_SIZE] = {0};

    *watched = (struct watched){.fd = fd};
    connection_enter(watched, CONNECTION_HEAD);
    if (address)
        client_network_of_socket(address, network);
    watched->client_hash = hash_network(connections, network);
    pthread_mutex_lock(&connections->lock);
    if (address)
        watched->client = count_client(connections, network);
    watched->next = connections->first;
    if (connections->first)
        connections->first->before = watched;
    connections->first = watched;
    connections->count++;
    pthread_mutex_unlock(&connections->lock);
}

void connections_remove(struct connections *connections, struct watched *watched)
{
    pthread_mutex_lock(&connections->lock);
    uncount_client(connections, watched->client);
    *(watched->before ? &watched->before->next : &connections->first) = watched->next;
    if (watched->next)
        watched->next->before = watched->before;
    if (connections->cursor == watched)
        connections->cursor = watched->next;
    connections->count--;
    pthread_mutex_unlock(&connections->lock);
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

static uint64_t load_word(const struct watched *watched)
{
    return __atomic_load_n(&watched->phase_word, __ATOMIC_RELAXED);
}

static enum connection_phase phase_of(uint64_t word)
{
    return (enum connection_phase)(word & ((1 << PHASE_BITS) - 1));
}

void connection_enter(struct watched *watched, enum connection_phase phase)
{
    uint64_t word = load_word(watched);

    if (word == 0 || phase_of(word) != phase)
        __atomic_store_n(&watched->phase_word, (uint64_t)monotonic_ms() << PHASE_BITS | phase,
                         __ATOMIC_RELAXED);
}

const char *connection_get_cut(const struct watched *watched)
{
    return __atomic_load_n(&watched->cut, __ATOMIC_ACQUIRE);
}

/* --- overdue connections; the lock is held --------------------------------------------------- */

static bool is_over(uint64_t begin_ms, uint64_t limit_ms, uint64_t now)
{
    return limit_ms > 0 && now > begin_ms && now - begin_ms > limit_ms;
}

/*
 * Bytes that the kernel received from the client, or that the client acknowledged. Without TCP, the
 * server's own count.
 */
static uint64_t count_bytes(const struct watched *watched, enum connection_phase phase)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(watched->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return __atomic_load_n(&watched->moved, __ATOMIC_RELAXED);
    return phase == CONNECTION_BODY ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
}

/*
 * Whether the server waits for the client: no bytes are waiting to be read, or some sent bytes are
 * not acknowledged.
 */
static bool is_client_late(const struct watched *watched, enum connection_phase phase)
{
    int waiting = 0;

    if (ioctl(watched->fd, phase == CONNECTION_BODY ? SIOCINQ : SIOCOUTQ, &waiting) < 0)
        return false;
    return phase == CONNECTION_BODY ? waiting == 0 : waiting > 0;
}

/* The rate is measured over windows of at least transfer_ms. */
static bool is_too_slow(struct watched *watched, uint64_t word,
                        const struct connection_limits *limits, uint64_t now)
{
    bool is_first = watched->measured != word;
    enum connection_phase phase = phase_of(word);
    uint64_t bytes, passed_ms = now - watched->window_begin_ms, got;

    if (limits->min_rate == 0 || limits->transfer_ms == 0 ||
        (!is_first && passed_ms < limits->transfer_ms))
        return false;
    bytes = count_bytes(watched, phase);
    got = bytes - watched->window_bytes;
    watched->measured = word;
    watched->window_begin_ms = now;
    watched->window_bytes = bytes;
    return !is_first && got * 1000 / passed_ms < limits->min_rate && is_client_late(watched, phase);
}

/* Returns why the connection must end now, or NULL. */
static const char *find_overdue(struct connections *connections, struct watched *watched,
                                uint64_t now)
{
    const struct connection_limits *limits = &connections->limits;
    bool is_crowded = limits->most > 0 && connections->count > limits->most - limits->most / 4;
    uint64_t word = load_word(watched), begin_ms = word >> PHASE_BITS;

    switch (phase_of(word)) {
    case CONNECTION_HEAD:
        return is_over(begin_ms, limits->head_ms, now)
                   ? "the request did not arrive within http.timeouts.head"
                   : NULL;
    case CONNECTION_IDLE:
        return is_over(begin_ms, is_crowded ? limits->idle_ms / CROWDED_DIVISOR : limits->idle_ms,
                       now)
                   ? "no request within http.timeouts.idle"
                   : NULL;
    case CONNECTION_REFUSED:
        return is_over(begin_ms, limits->transfer_ms, now)
                   ? "the refused body did not arrive within http.timeouts.transfer" : NULL;
    case CONNECTION_BODY:
        return is_too_slow(watched, word, limits, now)
                   ? "the client sent more slowly than http.limits.minrate"
                   : NULL;
    case CONNECTION_ANSWER:
        return is_too_slow(watched, word, limits, now)
                   ? "the client read more slowly than http.limits.minrate"
                   : NULL;
    default:
        return NULL;
    }
}

/*
 * Shuts the connection down. Its event thread notices that, and removes the connection before it
 * closes the descriptor.
 */
static void end_if_overdue(struct connections *connections, struct watched *watched, uint64_t now)
{
    const char *cut = find_overdue(connections, watched, now);

    if (!cut)
        return;
    __atomic_store_n(&watched->cut, cut, __ATOMIC_RELEASE);
    shutdown(watched->fd, SHUT_RDWR);
    connection_enter(watched, CONNECTION_WORK); /* so that it is shut down only once */
    connections->ended++;
}

/* Releases the lock from time to time, because checking a connection may take two system calls. */
static void end_overdue(struct connections *connections)
{
    uint64_t now = (uint64_t)monotonic_ms();
    unsigned looked_at = 0;

    connections->cursor = connections->first;
    while (connections->cursor) {
        struct watched *watched = connections->cursor;

        connections->cursor = watched->next;
        end_if_overdue(connections, watched, now);
        if (++looked_at % SLICE == 0) {
            pthread_mutex_unlock(&connections->lock);
            usleep(SLICE_PAUSE_US);
            pthread_mutex_lock(&connections->lock);
        }
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
        until = condition_deadline(TICK_MS);
        if (pthread_cond_timedwait(&connections->end, &connections->lock, &until) == ETIMEDOUT)
            end_overdue(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

/* Blocks all signals in the watcher, because they are for the main thread. */
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

int connections_new(const struct connection_limits *limits, struct connections **ret,
                    struct error *err)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    int r;

    if (!connections)
        return error_set_oom(err);
    connections->limits = *limits;
    random_bytes(&connections->seed, sizeof(connections->seed));
    pthread_mutex_init(&connections->lock, NULL);
    condition_init(&connections->end);
    r = start_watcher(connections);
    if (r < 0) {
        connections_free(connections);
        return error_set_errno(err, -r, "cannot start the thread that watches connections");
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
