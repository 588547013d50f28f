#pragma once

#include "registry/api/answer.h"

/* Adds the headers of an upload session: Location, Range, Docker-Upload-UUID. */
void upload_add_headers(const struct call *call, struct response *response, const char *id,
                        uint64_t size);

/*
 * Opens the session that the path names. Returns HTTP_DONE with *ret (free with upload_release())
 * or with a refusal in response, or HTTP_ON_WORKER if another request writes to the session; the
 * phase then returns that.
 */
enum http_result upload_open(struct call *call, struct response *response, struct upload **ret);

/* Answers 202 with the headers of an upload session. */
void upload_answer(const struct call *call, struct response *response, const char *id,
                   uint64_t size);

/* Answers 201 with the address and the digest of a new blob. */
void upload_answer_created(const struct call *call, struct response *response,
                           const struct digest *digest);
