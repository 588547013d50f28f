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
void answer_location(const struct call *call, struct response *response, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "Docker-Content-Digest:" */
void answer_digest(struct response *response, const struct digest *digest);

/* The ETag of a blob or manifest: its digest in quotes. */
enum { ANSWER_ETAG_SIZE = DIGEST_TEXT_SIZE + 2 };
void answer_format_etag(const struct digest *digest, char ret_etag[ANSWER_ETAG_SIZE]);

/*
 * Adds Docker-Content-Digest and ETag. If a condition of the request means that no content is sent
 * (RFC 9110 section 13.2.2: If-Match, 412; If-None-Match, 304), sets that answer and returns true.
 */
bool answer_if_settled(const struct call *call, struct response *response,
                       const struct digest *digest);

/* Reports a pull. media_type is NULL for a blob. */
void answer_pulled(const struct call *call, const struct digest *digest, uint64_t size,
                   const char *media_type);

/* Refuse a request; the detail is the digest as a JSON string, or {"<key>":"<text>"}. */
void answer_unknown_digest(struct response *response, enum error_code code,
                           const struct digest *digest);
void answer_unknown(struct response *response, enum error_code code, const char *key,
                    const char *text);

/* Refuses a request; the detail is the formatted text. */
void answer_invalid(struct response *response, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Answer 405 and return true if the registry is read-only, or if deleting is disabled. */
bool answer_if_read_only(const struct call *call, struct response *response);
bool answer_if_not_deleting(const struct call *call, struct response *response);

/* Adds "Link:" to the next page: /v2/<path>?last=<last>&n=<n><more>. more is already escaped. */
void answer_next_page(const struct call *call, struct response *response, const char *path,
                      const char *last, size_t n, const char *more);
