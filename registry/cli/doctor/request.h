#pragma once

#include <stdint.h>

#include "common/error.h"
#include "registry/cli/doctor/public-address.h"

/* What a server answered, and what a client thinks of its certificate. */
enum { REQUEST_HEAD_MAX = 16384, REQUEST_TIMEOUT_S = 10, REQUEST_WHY_SIZE = 256 };

struct answer {
    int status;                  /* of HTTP */
    char head[REQUEST_HEAD_MAX]; /* status line and headers */
    bool is_trusted; /* the certificate, by the authorities of this machine; true without TLS */
    char distrust[REQUEST_WHY_SIZE]; /* why not, in GnuTLS's words */
};

/*
 * Sends a request with an empty body and reads the head of the answer. headers are lines that end
 * with "\r\n", or "". A certificate that is not trusted does not end it. 0 or negative, after
 * REQUEST_TIMEOUT_S for each step at most.
 */
int request_send(const struct public_address *address, const char *method, const char *path,
                 const char *headers, struct answer *ret, struct error *err) MUST_USE;

/* The value of a header, in ret of size bytes; NULL if it is missing. The name is in any case. */
const char *answer_find(const struct answer *answer, const char *name, char *ret, size_t size);
