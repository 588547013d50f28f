#pragma once

#include <stdint.h>

#include "common/error.h"
#include "registry/cli/doctor/public-address.h"

/* The answer of a server, and whether its certificate is trusted. */
enum { REQUEST_HEAD_MAX = 16384, REQUEST_TIMEOUT_S = 10, REQUEST_WHY_SIZE = 256 };

struct answer {
    int status;                  /* of HTTP */
    char head[REQUEST_HEAD_MAX]; /* status line and headers */
    bool is_trusted;             /* whether this machine trusts the certificate; true without TLS */
    char distrust[REQUEST_WHY_SIZE]; /* why not; GnuTLS's text */
};

/*
 * Sends a request with an empty body and reads the head of the answer. headers are lines that end
 * with "\r\n", or "". Continues if the certificate is not trusted. 0 or negative. Each step takes
 * at most REQUEST_TIMEOUT_S.
 */
int request_send(const struct public_address *address, const char *method, const char *path,
                 const char *headers, struct answer *ret, struct error *err) MUST_USE;

/*
 * Copies the value of a header to ret of size bytes, and returns it; NULL if it is missing. The
 * case of the name does not matter.
 */
const char *answer_find(const struct answer *answer, const char *name, char *ret, size_t size);
