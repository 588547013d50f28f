#pragma once

#include <stdbool.h>

#include "common/digest.h"
#include "registry/api/api.h"
#include "registry/api/endpoint.h"
#include "registry/api/refusal.h"

/* Answers that several endpoints give. */

static inline const struct api *api_of(const struct call *call)
{
    return call->api;
}

/* "Location:" of a path below /v2/, absolute or relative as configured. */
void answer_location(const struct call *call, struct response *response, const char *format, ...) PRINTF_LIKE(3, 4);

/* "Docker-Content-Digest:" */
void answer_digest(struct response *response, const struct digest *digest);

/* The ETag of an immutable thing: its digest in quotes. */
enum { ANSWER_ETAG_SIZE = DIGEST_TEXT_SIZE + 2 };
void answer_format_etag(const struct digest *digest, char ret_etag[ANSWER_ETAG_SIZE]);

/*
 * Docker-Content-Digest and ETag, and where a condition of the request leaves nothing to send (RFC 9110 section
 * 13.2.2: If-Match, 412; If-None-Match, 304) that answer: then true.
 */
bool answer_if_settled(const struct call *call, struct response *response, const struct digest *digest);

/* Reports a pull: something is being sent to a client. media_type: NULL for a blob. */
void answer_pulled(const struct call *call, const struct digest *digest, uint64_t size, const char *media_type);

/* A refusal whose detail is the digest as a JSON string, or {"<key>":"<text>"}. */
void answer_unknown_digest(struct response *response, enum error_code code, const struct digest *digest);
void answer_unknown(struct response *response, enum error_code code, const char *key, const char *text);

/* A refusal that says in its detail what was wrong. */
void answer_invalid(struct response *response, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* 405 where the registry is read-only, or does not delete: then true. */
bool answer_if_read_only(const struct call *call, struct response *response);
bool answer_if_not_deleting(const struct call *call, struct response *response);

/* "Link:" to the next page: /v2/<path>?last=<last>&n=<n>, with more, already escaped, at its end. */
void answer_next_page(const struct call *call, struct response *response, const char *path, const char *last,
                      size_t n, const char *more);
