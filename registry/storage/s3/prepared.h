#pragma once

#include <time.h>

#include "registry/storage/s3/client.h"

/* A request in the form in which it is sent. One thread at a time. */

/* The bucket and the way to it. Borrowed. */
struct s3_place {
    const char *base; /* what comes before a path: "https://host" */
    const char *host; /* the header of that name */
    const char *bucket;
    const char *region;
    bool has_bucket_in_host;
};

enum { PREPARED_HEADERS_MAX = S3_PAIRS_MAX };

/* Free with prepared_done(). */
struct prepared {
    char *path;                              /* from the first slash, not escaped */
    char *url;                               /* escaped, with the query */
    char *headers[PREPARED_HEADERS_MAX + 1]; /* "name: value", NULL after the last */
    size_t header_count;
    char payload[129]; /* the digest of the body in hexadecimal */
};

/* The path, the address and the digest of the body, which all tries share. 0, -ENOMEM or -E2BIG. */
int prepared_init(const struct s3_place *place, const struct s3_request *request,
                  struct prepared *ret) MUST_USE;

/* Replaces the headers by those with a signature of that time. 0, -ENOMEM or -E2BIG. */
int prepared_sign(const struct s3_place *place, const struct s3_request *request,
                  const struct s3_keys *keys, time_t now, struct prepared *prepared) MUST_USE;

/* Also after prepared_init() has failed. */
void prepared_done(struct prepared *prepared);
