/*
 * A request and its answer. The thread puts the head and the bytes of the answer in, the caller
 * takes them out; a mutex is held for the copying only.
 */
#include "registry/storage/s3/exchange-private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/wiping-memory.h"

/* --- on the thread --------------------------------------------------------------------------- */

void exchange_free(struct exchange *exchange)
{
    pthread_cond_destroy(&exchange->changed);
    pthread_mutex_destroy(&exchange->mutex);
    for (size_t i = 0; i < exchange->header_count; i++) {
        if (exchange->is_secret)
            explicit_bzero(exchange->headers[i], strlen(exchange->headers[i]));
        free(exchange->headers[i]);
    }
    free(exchange->url);
    if (exchange->window && exchange->is_secret)
        explicit_bzero(exchange->window, exchange->capacity);
    wiping_free(exchange->window);
    free(exchange);
}

void exchange_forget_head(struct exchange *exchange)
{
    exchange->head_size = 0;
}

/* Keeps "name:value", the name in lower case. A head that is too long loses its last lines. */
void exchange_add_header(struct exchange *exchange, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size), *value;
    char *to = exchange->head + exchange->head_size;
    size_t value_size;

    if (!colon || exchange->head_size + size + 2 > TRANSPORT_HEAD_MAX)
        return;
    value = colon + 1;
    value_size = size - (size_t)(value - line);
    for (; value_size > 0 && isspace((unsigned char)*value); value_size--)
        value++;
    while (value_size > 0 && isspace((unsigned char)value[value_size - 1]))
        value_size--;
    for (; line <= colon; line++)
        *to++ = (char)tolower((unsigned char)*line);
    memcpy(to, value, value_size);
    to[value_size] = '\0';
    exchange->head_size = (size_t)(to + value_size + 1 - exchange->head);
}

void exchange_set_status(struct exchange *exchange, int status)
{
    pthread_mutex_lock(&exchange->mutex);
    exchange->status = status;
    pthread_mutex_unlock(&exchange->mutex);
    transport_note_news(exchange);
}

/* A short body needs no more room than its length. */
static size_t choose_capacity(const struct exchange *exchange)
{
    const char *length = exchange_get_header(exchange, "content-length");
    unsigned long long size = length ? strtoull(length, NULL, 10) : 0;

    return size > 0 && size < TRANSPORT_WINDOW &&
                   !exchange_get_header(exchange, "transfer-encoding")
               ? (size_t)size
               : TRANSPORT_WINDOW;
}

static bool has_window(struct exchange *exchange)
{
    if (exchange->window)
        return true;
    exchange->capacity = choose_capacity(exchange);
    exchange->window = wiping_malloc(exchange->capacity);
    return exchange->window;
}

/* Behind what is in the buffer, which may go over its end. */
static void put_bytes(struct exchange *exchange, const char *data, size_t size)
{
    size_t end = (exchange->begin + exchange->count) % exchange->capacity;
    size_t first = size < exchange->capacity - end ? size : exchange->capacity - end;

    memcpy(exchange->window + end, data, first);
    memcpy(exchange->window, data + first, size - first);
    exchange->count += size;
}

enum exchange_room exchange_add_bytes(struct exchange *exchange, const void *data, size_t size)
{
    enum exchange_room room = EXCHANGE_TAKEN;
    bool is_enough;

    pthread_mutex_lock(&exchange->mutex);
    if (exchange->is_cancelled || !has_window(exchange) || size > exchange->capacity) {
        room = EXCHANGE_UNWANTED;
    } else if (size > exchange->capacity - exchange->count) {
        exchange->is_paused = true;
        room = EXCHANGE_FULL;
    } else {
        put_bytes(exchange, data, size);
    }
    is_enough = exchange->count >= exchange->capacity / 2;
    pthread_mutex_unlock(&exchange->mutex);
    if (is_enough)
        exchange_wake(exchange);
    else
        transport_note_news(exchange);
    return room;
}

bool exchange_pause_if_full(struct exchange *exchange, size_t size)
{
    bool is_full;

    pthread_mutex_lock(&exchange->mutex);
    is_full = exchange->state == EXCHANGE_RUNNING && !exchange->is_paused &&
              exchange->capacity == TRANSPORT_WINDOW && exchange->capacity - exchange->count < size;
    exchange->is_paused = exchange->is_paused || is_full;
    pthread_mutex_unlock(&exchange->mutex);
    return is_full;
}

void exchange_wake(struct exchange *exchange)
{
    exchange_ready *ready = NULL;
    void *object = NULL;

    pthread_mutex_lock(&exchange->mutex);
    pthread_cond_broadcast(&exchange->changed);
    if (exchange->count > 0 || exchange->state == EXCHANGE_OVER) {
        ready = exchange->ready;
        object = exchange->ready_object;
        exchange->ready = NULL;
    }
    pthread_mutex_unlock(&exchange->mutex);
    if (ready)
        ready(object);
}

void exchange_finish(struct exchange *exchange, int failure)
{
    pthread_mutex_lock(&exchange->mutex);
    if (exchange->state != EXCHANGE_OVER)
        exchange->failure = failure;
    exchange->state = EXCHANGE_OVER;
    pthread_mutex_unlock(&exchange->mutex);
}

/* --- for callers ----------------------------------------------------------------------------- */

static bool copy_request(struct exchange *exchange, const struct transport_request *request)
{
    exchange->url = strdup(request->url);
    if (!exchange->url)
        return false;
    for (const char *const *line = request->headers; line && *line; line++) {
        char *copy = exchange->header_count < EXCHANGE_HEADERS_MAX ? strdup(*line) : NULL;

        if (!copy)
            return false;
        exchange->headers[exchange->header_count++] = copy;
    }
    snprintf(exchange->method, sizeof(exchange->method), "%s", request->method);
    exchange->body = request->body;
    exchange->body_size = request->body_size;
    exchange->total_ms = request->total_ms;
    exchange->is_secret = request->is_secret;
    return true;
}

int exchange_start(struct transport *transport, const struct transport_request *request,
                   struct exchange **ret)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return -ENOMEM;
    exchange->transport = transport;
    pthread_mutex_init(&exchange->mutex, NULL);
    pthread_cond_init(&exchange->changed, NULL);
    if (!copy_request(exchange, request)) {
        exchange_free(exchange);
        return -ENOMEM;
    }
    *ret = exchange;
    transport_queue(exchange);
    return 0;
}

int exchange_wait(struct exchange *exchange, int *ret_status, struct error *err)
{
    int status, failure;

    pthread_mutex_lock(&exchange->mutex);
    while (exchange->state != EXCHANGE_OVER && exchange->status == 0)
        pthread_cond_wait(&exchange->changed, &exchange->mutex);
    status = exchange->status;
    failure = exchange->failure < 0 ? exchange->failure : -ECONNRESET;
    pthread_mutex_unlock(&exchange->mutex);
    if (status == 0)
        return error_set(err, -failure, "%s", *exchange->problem ? exchange->problem : "no answer");
    *ret_status = status;
    return 0;
}

const char *exchange_get_header(const struct exchange *exchange, const char *name)
{
    const char *end = exchange->head + exchange->head_size;
    size_t size = strlen(name);

    for (const char *line = exchange->head; line < end; line += strlen(line) + 1)
        if (strncmp(line, name, size) == 0 && line[size] == ':')
            return line + size + 1;
    return NULL;
}

/* How many of the next bytes lie behind each other, with the mutex held. */
static size_t count_until_end(const struct exchange *exchange)
{
    size_t rest = exchange->capacity - exchange->begin;

    return exchange->count < rest ? exchange->count : rest;
}

/* With the mutex held. */
static void drop_bytes(struct exchange *exchange, size_t size)
{
    if (size == 0)
        return;
    exchange->begin = (exchange->begin + size) % exchange->capacity;
    exchange->count -= size;
}

/* Up to size bytes from the buffer, with the mutex held. */
static size_t take_bytes(struct exchange *exchange, char *data, size_t size)
{
    size_t n = size < exchange->count ? size : exchange->count, first = count_until_end(exchange);

    first = n < first ? n : first;
    memcpy(data, exchange->window + exchange->begin, first);
    memcpy(data + first, exchange->window, n - first);
    drop_bytes(exchange, n);
    return n;
}

/* With the mutex held, and no wait. */
static ssize_t take_or_fail(struct exchange *exchange, void *ret_data, size_t size)
{
    if (exchange->count > 0)
        return (ssize_t)take_bytes(exchange, ret_data, size);
    return exchange->state == EXCHANGE_OVER ? exchange->failure : -EAGAIN;
}

static void wait_for_bytes(struct exchange *exchange)
{
    while (exchange->count == 0 && exchange->state != EXCHANGE_OVER)
        pthread_cond_wait(&exchange->changed, &exchange->mutex);
}

/* Releases the mutex, and has libcurl go on if it waits for room that is there now. */
static void unlock_and_go_on(struct exchange *exchange)
{
    bool is_to_go_on = exchange->is_paused && exchange->count <= exchange->capacity / 2;

    pthread_mutex_unlock(&exchange->mutex);
    if (is_to_go_on)
        transport_queue(exchange);
}

static ssize_t read_bytes(struct exchange *exchange, bool may_wait, void *ret_data, size_t size)
{
    ssize_t n;

    pthread_mutex_lock(&exchange->mutex);
    if (may_wait)
        wait_for_bytes(exchange);
    n = take_or_fail(exchange, ret_data, size);
    unlock_and_go_on(exchange);
    return n;
}

ssize_t exchange_read(struct exchange *exchange, void *ret_data, size_t size)
{
    return read_bytes(exchange, true, ret_data, size);
}

ssize_t exchange_try(struct exchange *exchange, void *ret_data, size_t size)
{
    return read_bytes(exchange, false, ret_data, size);
}

void exchange_await(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->mutex);
    wait_for_bytes(exchange);
    pthread_mutex_unlock(&exchange->mutex);
}

ssize_t exchange_borrow(struct exchange *exchange, size_t skip, const void **ret_data)
{
    ssize_t n;

    pthread_mutex_lock(&exchange->mutex);
    drop_bytes(exchange, skip);
    if (exchange->count > 0) {
        *ret_data = exchange->window + exchange->begin;
        n = (ssize_t)count_until_end(exchange);
    } else {
        n = exchange->state == EXCHANGE_OVER ? exchange->failure : -EAGAIN;
    }
    unlock_and_go_on(exchange);
    return n;
}

void exchange_notify(struct exchange *exchange, exchange_ready *ready, void *object)
{
    bool is_ready;

    pthread_mutex_lock(&exchange->mutex);
    is_ready = exchange->count > 0 || exchange->state == EXCHANGE_OVER;
    if (!is_ready) {
        exchange->ready = ready;
        exchange->ready_object = object;
    }
    pthread_mutex_unlock(&exchange->mutex);
    if (is_ready)
        ready(object);
}

/* Returns whether libcurl has ended with it already. */
static bool cancel(struct exchange *exchange)
{
    bool is_over;

    pthread_mutex_lock(&exchange->mutex);
    exchange->is_cancelled = true;
    is_over = exchange->state == EXCHANGE_OVER;
    pthread_mutex_unlock(&exchange->mutex);
    return is_over;
}

static void wait_for_end(struct exchange *exchange)
{
    transport_queue(exchange);
    pthread_mutex_lock(&exchange->mutex);
    while (exchange->state != EXCHANGE_OVER)
        pthread_cond_wait(&exchange->changed, &exchange->mutex);
    pthread_mutex_unlock(&exchange->mutex);
}

/* The body belongs to the caller, so libcurl must have ended with it before this returns. */
void exchange_close(struct exchange *exchange)
{
    if (!exchange)
        return;
    if (!cancel(exchange) && exchange->body)
        wait_for_end(exchange);
    transport_abandon(exchange);
}
