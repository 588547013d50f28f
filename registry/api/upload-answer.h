#pragma once

#include "registry/api/answer.h"

/* The headers of an upload session: Location, Range, Docker-Upload-UUID. */
void upload_add_headers(const struct call *call, struct response *response, const char *id, uint64_t size);

/*
 * Opens the session that the path names. HTTP_DONE with *ret (free with upload_release()) or with a refusal in response;
 * HTTP_ON_WORKER where another request writes to it: then the phase returns that.
 */
enum http_result upload_open(struct call *call, struct response *response, struct upload **ret);

/* 202 with these. */
void upload_answer(const struct call *call, struct response *response, const char *id, uint64_t size);
