#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/macros.h"
#include "registry/storage/s3/escape.h"
#include "registry/storage/s3/keyring.h"
#include "registry/storage/s3/transport.h"

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
                             Only without headers and body */
    int64_t signed_s;     /* with expires_s: the time of the signature, by the store's clock */
    size_t limit;         /* the most bytes of the answer's body that are kept; more is -EFBIG */
    bool is_stream;       /* after 200 and 206 the body is left for s3_answer_read() */
};

enum { S3_CODE_SIZE = 64 };

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

/* Seconds since 1970 by the store's clock; by ours before the first answer. */
int64_t s3_client_now(struct s3_client *client);

/*
 * Sends a request. 0 with *ret for an answer of 2xx, 304, 404, 409, 412 and 416. Negative for
 * everything else: -EHOSTDOWN if the store could not be reached or was overloaded until the deadline,
 * -EACCES if it refuses the keys, and others.
 */
int s3_call(struct s3_client *client, const struct s3_request *request, struct s3_answer *ret,
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

/* Fills err for an answer that the caller did not expect. Returns negative. */
int s3_answer_fail(const struct s3_answer *answer, const struct s3_request *request,
                   struct error *err);

void s3_answer_done(struct s3_answer *answer);
