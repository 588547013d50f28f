#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/macros.h"

/*
 * HTTP/1.1 requests by libcurl, which runs on one thread of its own with connections that are kept.
 * It knows nothing of S3. An exchange is one request with its answer. The bytes of the answer go
 * through a buffer of at most TRANSPORT_WINDOW bytes; if it is full, nothing more is read from the
 * connection, so a slow reader costs no more memory.
 *
 * Functions may be called from any thread; an exchange belongs to one thread at a time. Proxies of
 * the environment are not used, redirects are not followed, and nothing is decoded.
 */
struct transport;
struct exchange;

enum { TRANSPORT_WINDOW = 512 << 10, TRANSPORT_HEAD_MAX = 16 << 10 };

struct transport_options {
    unsigned connections; /* open at once, at most; further exchanges wait */
    bool skips_verify;    /* certificates of the server are not checked */
    unsigned connect_ms;  /* to open a connection, TLS included */
    unsigned idle_s;      /* the longest time without a byte in either direction */
    bool is_secret;       /* for secrets: the thread wipes libcurl's memory */
};

/* Borrowed until exchange_start() returns, and the body until exchange_close() returns. */
struct transport_request {
    const char *method; /* at most 7 characters */
    const char *url;
    const char *const
        *headers;     /* "name: value", NULL at the end; without host and content-length */
    const void *body; /* NULL: none */
    size_t body_size;
    unsigned total_ms; /* for all of the exchange; 0: as long as bytes move */
    bool is_secret;    /* the copies of headers and answer are wiped */
};

/* Loads libcurl, which transport_new() does, too. Not while another thread does. 0 or negative. */
int transport_load(struct error *err) MUST_USE;

/* The file with the authorities that libcurl trusts, after it was loaded; NULL: none is known. */
const char *transport_get_authorities(void);

/* Loads libcurl and starts the thread. *ret is the caller's, free with transport_free(). 0 or
 * negative. */
int transport_new(const struct transport_options *options, struct transport **ret,
                  struct error *err) MUST_USE;

/*
 * Ends all exchanges at that moment of monotonic_ms(), and later ones at once: they fail with
 * -ESHUTDOWN.
 */
void transport_end_at(struct transport *transport, int64_t moment_ms);

/* After all of its exchanges were closed; takes NULL. */
void transport_free(struct transport *transport);

/* Begins a request. *ret is the caller's, free with exchange_close(). 0 or -ENOMEM. */
int exchange_start(struct transport *transport, const struct transport_request *request,
                   struct exchange **ret) MUST_USE;

/*
 * Waits for the head of the answer. 0 with *ret_status, or negative: -ETIMEDOUT, -ECONNREFUSED,
 * -ECONNRESET or -EHOSTUNREACH, after which another try may succeed, or another code for what will
 * not.
 */
int exchange_wait(struct exchange *exchange, int *ret_status, struct error *err) MUST_USE;

/* The value of a header (its name in lower case) after exchange_wait(); NULL if there is none.
 * Valid until the end. */
const char *exchange_get_header(const struct exchange *exchange, const char *name);

/* Waits for bytes of the body: how many of at most size, 0 at its end, or -errno. */
ssize_t exchange_read(struct exchange *exchange, void *ret_data, size_t size);

/* The same without waiting: -EAGAIN if there is none yet. */
ssize_t exchange_try(struct exchange *exchange, void *ret_data, size_t size);

/* Waits until exchange_try() answers something else than -EAGAIN. */
void exchange_await(struct exchange *exchange);

/*
 * The same without waiting: calls ready(object) once, here or on the transport's thread. It must
 * not use the exchange, which must not be closed before.
 */
typedef void exchange_ready(void *object);
void exchange_notify(struct exchange *exchange, exchange_ready *ready, void *object);

/*
 * Like exchange_try(), but without copying: drops skip bytes, at most those that were borrowed
 * before, and lends the next ones, which are valid until the next call.
 */
ssize_t exchange_borrow(struct exchange *exchange, size_t skip, const void **ret_data);

/* Ends the exchange, wherever it is. Waits for the transport's thread only if the request has a
 * body. Takes NULL. */
void exchange_close(struct exchange *exchange);

static inline void exchange_closep(struct exchange **exchange)
{
    exchange_close(*exchange);
}
