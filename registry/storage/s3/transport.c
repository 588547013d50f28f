/*
 * One thread runs libcurl's multi interface. Others put exchanges into its queue and wake it: to
 * begin one, to go on with one whose buffer has room again, or to end one.
 */
#include "registry/storage/s3/transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/exchange-private.h"
#include "registry/storage/s3/library.h"

enum { RECEIVE_SIZE = 64 << 10, POLL_MS = 1000 };

_Static_assert(EXCHANGE_PROBLEM_SIZE >= CURL_ERROR_SIZE,
               "libcurl writes up to CURL_ERROR_SIZE bytes");

#define FUNCTIONS(use) \
    use(global_init) use(slist_append) use(slist_free_all) use(easy_init) use(easy_cleanup) \
        use(easy_setopt) use(easy_getinfo) use(easy_pause) use(easy_strerror) use(multi_init) \
            use(multi_cleanup) use(multi_setopt) use(multi_add_handle) use(multi_remove_handle) \
                use(multi_perform) use(multi_poll) use(multi_wakeup) use(multi_info_read) use(version_info)
#define MEMBER(name) __typeof__(curl_##name) *name;
#define SYMBOL(name) {"curl_" #name, (void **)&curl.name},

static struct {
    FUNCTIONS(MEMBER)
} curl;

struct transport {
    struct transport_options options;
    pthread_t thread;
    CURLM *multi;
    pthread_mutex_t mutex;
    struct exchange *first; /* the queue */
    bool is_ending;
};

/* --- the queue ------------------------------------------------------------------------------- */

void transport_queue(struct exchange *exchange)
{
    struct transport *transport = exchange->transport;

    pthread_mutex_lock(&transport->mutex);
    if (!exchange->is_queued) {
        exchange->is_queued = true;
        exchange->next = transport->first;
        transport->first = exchange;
    }
    /* Once the mutex is free, the thread may free the exchange, and main the transport. */
    curl.multi_wakeup(transport->multi);
    pthread_mutex_unlock(&transport->mutex);
}

/* Takes the next exchange from the queue; NULL if it is empty. */
static struct exchange *take_from_queue(struct transport *transport, bool *ret_is_ending)
{
    struct exchange *exchange;

    pthread_mutex_lock(&transport->mutex);
    exchange = transport->first;
    if (exchange) {
        transport->first = exchange->next;
        exchange->is_queued = false;
    }
    *ret_is_ending = transport->is_ending;
    pthread_mutex_unlock(&transport->mutex);
    return exchange;
}

/* --- libcurl's calls ------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t one, size_t size, void *object)
{
    (void)one;
    switch (exchange_add_bytes(object, data, size)) {
    case EXCHANGE_TAKEN:
        return size;
    case EXCHANGE_FULL:
        return CURL_WRITEFUNC_PAUSE;
    default:
        return 0; /* ends the transfer */
    }
}

/* Each line of a head. A head with a status below 200 is followed by another. */
static size_t on_header(char *line, size_t one, size_t size, void *object)
{
    struct exchange *exchange = object;
    long status = 0;

    (void)one;
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0)
        exchange_forget_head(exchange);
    else if (size > 2)
        exchange_add_header(exchange, line, size);
    else if (curl.easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
             status >= 200)
        exchange_set_status(exchange, (int)status);
    return size;
}

/* --- an exchange begins and ends ------------------------------------------------------------- */

static bool set_headers(struct exchange *exchange)
{
    /* libcurl would add these; without a value they are left out. */
    static const char *const without[] = {"Expect:", "Content-Type:", "Accept:"};

    for (size_t i = 0; i < ARRAY_SIZE(without) + exchange->header_count; i++) {
        const char *line =
            i < ARRAY_SIZE(without) ? without[i] : exchange->headers[i - ARRAY_SIZE(without)];
        struct curl_slist *longer = curl.slist_append(exchange->lines, line);

        if (!longer)
            return false;
        exchange->lines = longer;
    }
    return curl.easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->lines) == CURLE_OK;
}

static bool set_method(CURL *easy, const struct exchange *exchange)
{
    if (strcmp(exchange->method, "HEAD") == 0)
        return curl.easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (strcmp(exchange->method, "GET") == 0)
        return curl.easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method) != CURLE_OK)
        return false;
    if (!exchange->body && strcmp(exchange->method, "DELETE") == 0)
        return true;
    return curl.easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body ? exchange->body : "") ==
               CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_size) ==
               CURLE_OK;
}

static bool set_limits(CURL *easy, const struct transport_options *options,
                       const struct exchange *exchange)
{
    return curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms) ==
               CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)options->idle_s) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)exchange->total_ms) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE) == CURLE_OK;
}

static bool set_trust(CURL *easy, const struct transport_options *options)
{
    return curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->skips_verify ? 0L : 1L) ==
               CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->skips_verify ? 0L : 2L) ==
               CURLE_OK;
}

static bool set_callbacks(CURL *easy, struct exchange *exchange)
{
    return curl.easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->problem) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_HEADERDATA, exchange) == CURLE_OK;
}

static bool begin(struct transport *transport, struct exchange *exchange)
{
    CURL *easy = exchange->easy = curl.easy_init();

    return easy && curl.easy_setopt(easy, CURLOPT_URL, exchange->url) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           set_headers(exchange) && set_method(easy, exchange) &&
           set_limits(easy, &transport->options, exchange) &&
           set_trust(easy, &transport->options) && set_callbacks(easy, exchange) &&
           curl.multi_add_handle(transport->multi, easy) == CURLM_OK;
}

static void end(struct transport *transport, struct exchange *exchange, int failure)
{
    if (exchange->easy) {
        curl.multi_remove_handle(transport->multi, exchange->easy);
        curl.easy_cleanup(exchange->easy);
    }
    curl.slist_free_all(exchange->lines);
    exchange->easy = exchange->lines = NULL;
    exchange_finish(exchange, failure);
}

/* Does what the exchange is in the queue for. */
static void serve(struct transport *transport, struct exchange *exchange)
{
    bool is_abandoned, is_to_end, is_paused;
    enum exchange_state state;

    pthread_mutex_lock(&exchange->mutex);
    state = exchange->state;
    is_abandoned = exchange->is_abandoned;
    is_to_end = is_abandoned || exchange->is_cancelled;
    is_paused = exchange->is_paused;
    exchange->is_paused = false;
    if (state == EXCHANGE_QUEUED && !is_to_end)
        exchange->state = EXCHANGE_RUNNING;
    pthread_mutex_unlock(&exchange->mutex);
    if (is_to_end)
        end(transport, exchange, -ECANCELED);
    else if (state == EXCHANGE_QUEUED && !begin(transport, exchange))
        end(transport, exchange, -ENOMEM);
    else if (state == EXCHANGE_RUNNING && is_paused)
        curl.easy_pause(exchange->easy, CURLPAUSE_CONT);
    if (is_abandoned)
        exchange_free(exchange);
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

static void *run(void *object)
{
    struct transport *transport = object;
    bool is_ending = false;

    while (!is_ending) {
        struct exchange *exchange;
        int running;

        while ((exchange = take_from_queue(transport, &is_ending)))
            serve(transport, exchange);
        curl.multi_perform(transport->multi, &running);
        end_finished(transport);
        if (!is_ending)
            curl.multi_poll(transport->multi, NULL, 0, POLL_MS, NULL);
    }
    return NULL;
}

static int start_thread(struct transport *transport)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&transport->thread, NULL, run, transport);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_setname_np(transport->thread, "s3-transport");
    return -r;
}

/* --- for callers ----------------------------------------------------------------------------- */

int transport_load(struct error *err)
{
    static const char *const files[] = {"libcurl-gnutls.so.4", "libcurl.so.4", NULL};
    static const struct library_symbol symbols[] = {FUNCTIONS(SYMBOL)};
    static bool is_loaded;
    int r;

    if (is_loaded)
        return 0;
    r = library_load(files, "libcurl (package libcurl3-gnutls or libcurl3t64-gnutls)", symbols,
                     ARRAY_SIZE(symbols), err);
    if (r == 0 && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set_oom(err);
    is_loaded = r == 0;
    return r;
}

const char *transport_get_authorities(void)
{
    const curl_version_info_data *data = curl.version_info(CURLVERSION_NOW);

    return data->age >= CURLVERSION_SEVENTH ? data->cainfo : NULL;
}

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

void transport_free(struct transport *transport)
{
    if (!transport)
        return;
    pthread_mutex_lock(&transport->mutex);
    transport->is_ending = true;
    curl.multi_wakeup(transport->multi);
    pthread_mutex_unlock(&transport->mutex);
    pthread_join(transport->thread, NULL);
    curl.multi_cleanup(transport->multi);
    pthread_mutex_destroy(&transport->mutex);
    free(transport);
}
