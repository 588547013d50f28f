#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/macros.h"
#include "registry/storage/s3/breaker.h"
#include "registry/storage/s3/escape.h"
#include "registry/storage/s3/keyring.h"
#include "registry/storage/s3/transport.h"
#include "registry/storage/storage.h"

/*
 * Requests to one bucket: signed, tried again after failures that may pass, with errors as S3 says
 * them. From any thread that may wait; an answer by one thread at a time.
 */
struct s3_client;

struct s3_client_options {
    const char *endpoint; /* "https://host[:port]", without a slash at its end */
    const char *bucket;
    const char *region;
    bool has_bucket_in_host; /* "https://bucket.host/key" instead of "https://host/bucket/key" */
    unsigned deadline_ms;    /* for a request with all of its tries */
    struct transport_options transport;
};

/* All borrowed until s3_call() returns. */
struct s3_request {
    const char *method;
    const char *key; /* "" for the bucket itself */
    const struct s3_pair *query;
    size_t query_count;
    const struct s3_pair *headers; /* names in lower case */
    size_t header_count;
    const void *body; /* NULL: none */
    size_t body_size;
    unsigned deadline_ms; /* 0: the client's */
    unsigned expires_s;   /* the store refuses it that long after it was signed; 0: 15 minutes.
                             The digest of a body is not signed then: a header should have it */
    int64_t signed_s;     /* with expires_s: the time of the signature, by the store's clock */
    size_t limit;         /* the most bytes of the answer's body that are kept; more is -EFBIG */
    bool is_stream;       /* after 200 and 206 the body is left for s3_answer_read() */
};

enum { S3_CODE_SIZE = 64 };

#define S3_EXPIRED_TOKEN "ExpiredToken"

/* Free with s3_answer_done(). */
struct s3_answer {
    int status;
    char code[S3_CODE_SIZE]; /* of an error, such as "NoSuchKey"; "" if there is none */
    char *bytes;             /* the body with a NUL after it, unless it is a stream */
    size_t size;
    struct exchange *exchange; /* the head; of a stream, the rest */
};

/* Borrows keyring. *ret is the caller's, free with s3_client_free(). 0 or negative. */
int s3_client_new(const struct s3_client_options *options, struct keyring *keyring,
                  struct s3_client **ret, struct error *err) MUST_USE;

/* After the last answer was freed; takes NULL. */
void s3_client_free(struct s3_client *client);

/* Valid as long as the client. */
const char *s3_client_get_bucket(const struct s3_client *client);

/* Whether the store has not answered for a while, so that requests fail at once. */
bool s3_client_is_down(struct s3_client *client);

/*
 * Requests in progress fail at that moment of monotonic_ms() with -ESHUTDOWN, and later ones at
 * once; INT64_MAX: never, as at the start.
 */
void s3_client_end_at(struct s3_client *client, int64_t moment_ms);
int64_t s3_client_get_end(struct s3_client *client);

void s3_client_count(struct s3_client *client, struct storage_request_counters *ret);

/* Seconds since 1970 by the store's clock; by ours before the first answer. */
int64_t s3_client_now(struct s3_client *client);

/*
 * Sends a request. 0 with *ret for an answer of 2xx, 304, 404, 412 and 416. Negative for
 * everything else: -EHOSTDOWN if the store could not be reached or was overloaded until the deadline
 * or for a while before the request, or if the keys have expired; -EACCES if it refuses the keys;
 * and others.
 */
int s3_call(struct s3_client *client, const struct s3_request *request, struct s3_answer *ret,
            struct error *err) MUST_USE;

/*
 * A request that is sent before its answer is wanted, so that another one can be sent meanwhile. It
 * has no body. Zeros if it could not be sent.
 */
struct s3_early {
    struct exchange *exchange;
    int64_t sent_ms;
};

/* Sends a stream. End it with s3_early_take() or s3_early_drop(). Does not wait for the store. */
void s3_early_send(struct s3_client *client, const struct s3_request *request,
                   struct s3_early *ret);

/* As s3_call(), for which the early request is the first try. */
int s3_early_take(struct s3_client *client, const struct s3_request *request,
                  struct s3_early *early, struct s3_answer *ret, struct error *err) MUST_USE;

/* Ends the request without waiting for its answer. */
void s3_early_drop(struct s3_client *client, struct s3_early *early);

/*
 * An address with which anybody can send the request, which has no body, until expires_s seconds
 * after now. *ret is the caller's, free with free(); it must not be logged. 0 or negative.
 */
int s3_client_presign(struct s3_client *client, const struct s3_request *request, char **ret,
                      struct error *err) MUST_USE;

/* The value of a header, NULL if there is none; valid as long as the answer. */
const char *s3_answer_get_header(const struct s3_answer *answer, const char *name);

/* The number in a header; 0, or -EBADMSG if there is none. */
int s3_answer_get_size(const struct s3_answer *answer, const char *name, uint64_t *ret) MUST_USE;

/* The next bytes of a stream: how many, 0 at its end, or -errno. */
ssize_t s3_answer_read(struct s3_answer *answer, void *ret_data, size_t size);

/* The same without waiting: -EAGAIN if there is none yet; s3_answer_await() waits until there is. */
ssize_t s3_answer_try(struct s3_answer *answer, void *ret_data, size_t size);
void s3_answer_await(struct s3_answer *answer);

/* As exchange_notify() and exchange_borrow(). */
void s3_answer_notify(struct s3_answer *answer, exchange_ready *ready, void *object);
ssize_t s3_answer_borrow(struct s3_answer *answer, size_t skip, const void **ret_data);

/* Fills err for an answer that the caller did not expect. Returns negative. */
int s3_answer_fail(const struct s3_answer *answer, const struct s3_request *request,
                   struct error *err);

void s3_answer_done(struct s3_answer *answer);
