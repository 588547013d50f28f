/*
 * One thread runs libcurl's multi interface. Others put exchanges into its queue and wake it: to
 * begin one, to go on with one whose buffer has room again, or to end one.
 */
#include "registry/storage/s3/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "common/thread.h"
#include "registry/storage/s3/curl-calls.h"
#include "registry/storage/s3/easy.h"
#include "registry/storage/s3/exchange-private.h"
#include "registry/storage/s3/wiping-memory.h"

enum { POLL_MS = 1000 };

struct transport {
    struct transport_options options;
    pthread_t thread;
    CURLM *multi;
    pthread_mutex_t mutex;
    struct exchange *first; /* the queue */
    bool is_ending;
    int64_t end_ms; /* of all exchanges; atomic */

    /* Only the thread uses them. */
    struct exchange *running;
    struct exchange *news; /* whose callers are to be woken */
};

/* How long exchanges may go on. */
static int64_t time_left_ms(const struct transport *transport)
{
    int64_t end_ms = __atomic_load_n(&transport->end_ms, __ATOMIC_RELAXED);

    return end_ms == INT64_MAX ? INT64_MAX : end_ms - monotonic_ms();
}

/* --- the queue ------------------------------------------------------------------------------- */

/* With the transport's mutex held. */
static void queue(struct exchange *exchange)
{
    struct transport *transport = exchange->transport;

    if (!exchange->is_queued) {
        exchange->is_queued = true;
        exchange->next = transport->first;
        transport->first = exchange;
    }
    /* Once the mutex is free, the thread may free the exchange, and main the transport. */
    curl.multi_wakeup(transport->multi);
}

void transport_queue(struct exchange *exchange)
{
    struct transport *transport = exchange->transport;

    pthread_mutex_lock(&transport->mutex);
    queue(exchange);
    pthread_mutex_unlock(&transport->mutex);
}

void transport_abandon(struct exchange *exchange)
{
    struct transport *transport = exchange->transport;

    pthread_mutex_lock(&transport->mutex);
    exchange->is_abandoned = true;
    queue(exchange);
    pthread_mutex_unlock(&transport->mutex);
}

struct next_exchange {
    struct exchange *exchange; /* NULL: the queue is empty */
    bool is_abandoned;
    bool is_ending; /* the transport is */
};

/*
 * Takes the next exchange from the queue. Only an exchange that was already abandoned when it was
 * taken may be freed: one that is abandoned after that is in the queue once more.
 */
static struct next_exchange take_from_queue(struct transport *transport)
{
    struct next_exchange next = {0};

    pthread_mutex_lock(&transport->mutex);
    next.exchange = transport->first;
    if (next.exchange) {
        transport->first = next.exchange->next;
        next.exchange->is_queued = false;
        next.is_abandoned = next.exchange->is_abandoned;
    }
    next.is_ending = transport->is_ending;
    pthread_mutex_unlock(&transport->mutex);
    return next;
}

/* --- waking callers -------------------------------------------------------------------------- */

void transport_note_news(struct exchange *exchange)
{
    struct transport *transport = exchange->transport;

    if (exchange->has_news)
        return;
    exchange->has_news = true;
    exchange->next_news = transport->news;
    transport->news = exchange;
}

/* Before it is freed. */
static void forget_news(struct exchange *exchange)
{
    struct exchange **place = &exchange->transport->news;

    if (!exchange->has_news)
        return;
    while (*place != exchange)
        place = &(*place)->next_news;
    *place = exchange->next_news;
}

/*
 * Once for all that libcurl has read, because each wake-up costs more than a piece of 16 KiB. A
 * transfer is paused before its buffer is full: what libcurl has read already, it would copy to
 * memory of its own.
 */
static void wake_callers(struct transport *transport)
{
    struct exchange *exchange;

    while ((exchange = transport->news)) {
        transport->news = exchange->next_news;
        exchange->has_news = false;
        if (exchange_pause_if_full(exchange, EASY_STREAM_SIZE))
            curl.easy_pause(exchange->easy, CURLPAUSE_ALL);
        exchange_wake(exchange);
    }
}

/* --- an exchange begins and ends ------------------------------------------------------------- */

static void add_running(struct transport *transport, struct exchange *exchange)
{
    exchange->next_running = transport->running;
    exchange->running_at = &transport->running;
    if (transport->running)
        transport->running->running_at = &exchange->next_running;
    transport->running = exchange;
}

static void remove_running(struct exchange *exchange)
{
    if (!exchange->running_at)
        return;
    *exchange->running_at = exchange->next_running;
    if (exchange->next_running)
        exchange->next_running->running_at = exchange->running_at;
    exchange->running_at = NULL;
}

static bool begin(struct transport *transport, struct exchange *exchange)
{
    add_running(transport, exchange);
    return easy_new(exchange, &transport->options) &&
           curl.multi_add_handle(transport->multi, exchange->easy) == CURLM_OK;
}

static void end(struct transport *transport, struct exchange *exchange, int failure)
{
    remove_running(exchange);
    if (exchange->easy) {
        curl.multi_remove_handle(transport->multi, exchange->easy);
        curl.easy_cleanup(exchange->easy);
    }
    curl.slist_free_all(exchange->lines);
    exchange->easy = exchange->lines = NULL;
    exchange_finish(exchange, failure);
    transport_note_news(exchange);
}

static void end_for_shutdown(struct transport *transport, struct exchange *exchange)
{
    snprintf(exchange->problem, sizeof(exchange->problem), "the server is being stopped");
    /* Otherwise libcurl would wait for a name server. */
    if (exchange->easy)
        curl.easy_setopt(exchange->easy, CURLOPT_QUICK_EXIT, 1L);
    end(transport, exchange, -ESHUTDOWN);
}

/* Does what the exchange is in the queue for. */
static void serve(struct transport *transport, struct exchange *exchange)
{
    bool is_to_end, is_paused;
    enum exchange_state state;

    pthread_mutex_lock(&exchange->mutex);
    state = exchange->state;
    is_to_end = exchange->is_cancelled;
    is_paused = exchange->is_paused;
    exchange->is_paused = false;
    if (state == EXCHANGE_QUEUED && !is_to_end)
        exchange->state = EXCHANGE_RUNNING;
    pthread_mutex_unlock(&exchange->mutex);
    if (is_to_end)
        end(transport, exchange, -ECANCELED);
    else if (state == EXCHANGE_QUEUED && time_left_ms(transport) <= 0)
        end_for_shutdown(transport, exchange);
    else if (state == EXCHANGE_QUEUED && !begin(transport, exchange))
        end(transport, exchange, -ENOMEM);
    else if (state == EXCHANGE_RUNNING && is_paused)
        curl.easy_pause(exchange->easy, CURLPAUSE_CONT);
}

static void serve_queue(struct transport *transport, bool *ret_is_ending)
{
    struct next_exchange next;

    while (next = take_from_queue(transport), next.exchange) {
        serve(transport, next.exchange);
        if (next.is_abandoned) {
            forget_news(next.exchange);
            exchange_free(next.exchange);
        }
    }
    *ret_is_ending = next.is_ending;
}

/* --- the thread ------------------------------------------------------------------------------ */

static int failure_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return -EHOSTUNREACH;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return -EPROTO;
    default:
        return -ECONNRESET;
    }
}

static void end_finished(struct transport *transport)
{
    CURLMsg *message;
    int rest;

    while ((message = curl.multi_info_read(transport->multi, &rest))) {
        struct exchange *exchange = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE ||
            curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange) !=
                CURLE_OK)
            continue;
        if (code != CURLE_OK && !*exchange->problem)
            snprintf(exchange->problem, sizeof(exchange->problem), "%s", curl.easy_strerror(code));
        end(transport, exchange, failure_of(code));
    }
}

static enum memory_use choose_memory(const struct transport *transport)
{
    return transport->options.is_secret ? MEMORY_OF_SECRETS : MEMORY_USUAL;
}

/* Ends all requests once end_ms has passed. Returns how long the thread may wait. */
static int check_time(struct transport *transport)
{
    int64_t left_ms = time_left_ms(transport);

    while (left_ms <= 0 && transport->running)
        end_for_shutdown(transport, transport->running);
    return left_ms > 0 && left_ms < POLL_MS ? (int)left_ms : POLL_MS;
}

/* Keeps no memory for later if there was nothing to do. */
static void wait_for_work(struct transport *transport, int wait_ms)
{
    int64_t begin_ms = monotonic_ms();

    curl.multi_poll(transport->multi, NULL, 0, wait_ms, NULL);
    if (!transport->running && monotonic_ms() - begin_ms >= POLL_MS)
        wiping_memory_drop_spares(true);
}

static void *run(void *object)
{
    struct transport *transport = object;
    bool is_ending = false;

    wiping_memory_set(choose_memory(transport));
    wiping_memory_keep_spares();
    while (!is_ending) {
        int running, wait_ms;

        serve_queue(transport, &is_ending);
        curl.multi_perform(transport->multi, &running);
        end_finished(transport);
        wait_ms = check_time(transport);
        wake_callers(transport);
        if (!is_ending)
            wait_for_work(transport, wait_ms);
    }
    wiping_memory_drop_spares(false);
    return NULL;
}

static int start_thread(struct transport *transport)
{
    return thread_start(&transport->thread, "s3-transport", run, transport);
}

/* --- for callers ----------------------------------------------------------------------------- */

static bool set_connections(const struct transport *transport)
{
    long most = (long)transport->options.connections;

    return curl.multi_setopt(transport->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most) == CURLM_OK &&
           curl.multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS, most) == CURLM_OK;
}

int transport_new(const struct transport_options *options, struct transport **ret,
                  struct error *err)
{
    struct transport *transport;
    int r = transport_load(err);

    if (r < 0)
        return r;
    transport = calloc(1, sizeof(*transport));
    if (!transport)
        return error_set_oom(err);
    transport->options = *options;
    transport->end_ms = INT64_MAX;
    pthread_mutex_init(&transport->mutex, NULL);
    transport->multi = curl.multi_init();
    if (!transport->multi || !set_connections(transport) || start_thread(transport) < 0) {
        if (transport->multi)
            curl.multi_cleanup(transport->multi);
        pthread_mutex_destroy(&transport->mutex);
        free(transport);
        return error_set_oom(err);
    }
    *ret = transport;
    return 0;
}

void transport_end_at(struct transport *transport, int64_t moment_ms)
{
    __atomic_store_n(&transport->end_ms, moment_ms, __ATOMIC_RELAXED);
    curl.multi_wakeup(transport->multi);
}

void transport_free(struct transport *transport)
{
    enum memory_use before;

    if (!transport)
        return;
    pthread_mutex_lock(&transport->mutex);
    transport->is_ending = true;
    curl.multi_wakeup(transport->multi);
    pthread_mutex_unlock(&transport->mutex);
    pthread_join(transport->thread, NULL);
    before = wiping_memory_set(choose_memory(transport));
    curl.multi_cleanup(transport->multi);
    wiping_memory_set(before);
    pthread_mutex_destroy(&transport->mutex);
    free(transport);
}
