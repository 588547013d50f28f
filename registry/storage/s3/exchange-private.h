#pragma once

#include <pthread.h>

#include "registry/storage/s3/transport.h"

/* What exchange.c, the side of the callers, and transport.c, the side of the thread, share. */

enum exchange_state {
    EXCHANGE_QUEUED,  /* not begun */
    EXCHANGE_RUNNING, /* libcurl has it */
    EXCHANGE_OVER,    /* all bytes of the answer are in the buffer, or it failed */
};

enum { EXCHANGE_METHOD_SIZE = 8, EXCHANGE_HEADERS_MAX = 32, EXCHANGE_PROBLEM_SIZE = 256 };

struct exchange {
    struct transport *transport;

    /* Constant after the start. The body is borrowed. */
    char method[EXCHANGE_METHOD_SIZE];
    char *url;
    char *headers[EXCHANGE_HEADERS_MAX];
    size_t header_count;
    const void *body;
    size_t body_size;
    unsigned total_ms;
    bool is_secret;

    /* The transport's mutex protects them. */
    struct exchange *next;
    bool is_queued;
    bool is_abandoned; /* the caller is gone: the thread frees it */

    /* Only the thread uses them. */
    struct exchange *next_running, **running_at; /* in the transport's list; NULL: not there */
    void *easy;
    void *lines; /* the headers for libcurl */
    struct exchange *next_news;
    bool has_news; /* it is in the transport's list of those whose callers are to be woken */

    /* mutex protects them. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum exchange_state state;
    bool is_paused;      /* libcurl waits for room in the buffer */
    exchange_ready *ready; /* to be called when there is something to read; NULL: nobody waits */
    void *ready_object;
    bool is_cancelled;   /* the caller wants no more of it */
    int status;          /* once all of the head is there; 0 before */
    int failure;         /* -errno */
    char *window;        /* the buffer, from the first byte of a body on */
    size_t capacity;     /* of it: TRANSPORT_WINDOW, or the size of a smaller body */
    size_t begin, count; /* what is in it */

    /* Written by the thread before it sets status, or state at the end; read by the caller after
     * that. */
    char head[TRANSPORT_HEAD_MAX]; /* "name:value" with a NUL after each */
    size_t head_size;
    char problem[EXCHANGE_PROBLEM_SIZE];
};

/* What became of the bytes of an answer. */
enum exchange_room {
    EXCHANGE_TAKEN,
    EXCHANGE_FULL, /* none was taken; the exchange counts as paused */
    EXCHANGE_UNWANTED,
};

/*
 * For the thread. A line of the head, without the status; the end of the head; bytes of the body;
 * the end of it all. Callers notice at the next exchange_wake().
 */
void exchange_forget_head(struct exchange *exchange);
void exchange_add_header(struct exchange *exchange, const char *line, size_t size);
void exchange_set_status(struct exchange *exchange, int status);
enum exchange_room exchange_add_bytes(struct exchange *exchange, const void *data, size_t size);
void exchange_finish(struct exchange *exchange, int failure);
void exchange_free(struct exchange *exchange);

/* Wakes the caller if it waits for what is there. */
void exchange_wake(struct exchange *exchange);

/*
 * Whether to read nothing more before the caller has taken some: the buffer has less room than
 * size. Then the exchange counts as paused.
 */
bool exchange_pause_if_full(struct exchange *exchange, size_t size);

/* For callers: has the thread look at the exchange. */
void transport_queue(struct exchange *exchange);

/* For callers, at the end: has the thread free the exchange, which is cancelled. */
void transport_abandon(struct exchange *exchange);

/* For the functions above: has the thread wake the caller once libcurl has read what has come. */
void transport_note_news(struct exchange *exchange);
