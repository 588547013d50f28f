#pragma once

#include "registry/api/endpoint.h"

/*
 * Asks registry/access/ whether the call is permitted. Returns HTTP_DONE with call->is_admitted set
 * or with a refusal in response, or HTTP_ON_WORKER if a password must be checked first.
 */
enum http_result admit(struct call *call, struct response *response);

/* Answers ACCESS_FAILED; err is that of the question. */
void admit_fail(struct response *response, const struct error *err);

/* Answers 429 to a client that has sent too many wrong passwords. */
void admit_refuse_guesser(struct response *response, uint64_t wait_ms);
