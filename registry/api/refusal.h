#pragma once

#include "registry/http/response.h"
#include "registry/spec/error-code.h"

/* Refusals and failures, in the form of the OCI distribution specification ("Error codes"). */

/* The specification's error body with the code's own status; detail is JSON, or NULL for none. */
void response_refuse(struct response *response, enum error_code code, const char *detail);

/*
 * The server's fault: 507 where the storage is full, 503 where it is read-only or something else is short, 500; err's words
 * go to the log, not to the client.
 */
void response_fail(struct response *response, const struct error *err);

/* A push beyond a quota: 413 with the code DENIED, so that docker shows the words and does not try again. */
void response_refuse_quota(struct response *response, const char *words);

/* Likewise where memory is out. */
void response_fail_oom(struct response *response);
