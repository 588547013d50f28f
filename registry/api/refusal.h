#pragma once

#include "registry/http/response.h"
#include "registry/spec/error-code.h"

/* Formats refusals and failures as the OCI distribution specification demands ("Error Codes"). */

/* Answers with the code's status and an error body. detail is JSON, or NULL for none. */
void response_refuse(struct response *response, enum error_code code, const char *detail);

/*
 * Reports a failure of the server: 507 if the storage is full, 503 if it is read-only or another
 * resource is exhausted, otherwise 500. err's text goes to the log, not to the client.
 */
void response_fail(struct response *response, const struct error *err);

/*
 * Refuses a push by a rule that the client should read about: with the code DENIED, docker shows
 * the words and does not retry. The status is 413 for a quota and 403 for a protected tag. detail
 * is JSON, or NULL for none.
 */
void response_deny(struct response *response, unsigned status, const char *words,
                   const char *detail);

/* Like response_fail(), when memory is exhausted. */
void response_fail_oom(struct response *response);
