#pragma once

#include "registry/api/endpoint.h"

/*
 * Asks registry/access/ whether the call may do what it asks for. HTTP_DONE with call->is_admitted
 * set, or with the refusal in response; HTTP_ON_WORKER where a password has to be checked first.
 */
enum http_result admit(struct call *call, struct response *response);

/* The answer to ACCESS_FAILED, with err of the question. */
void admit_fail(struct response *response, const struct error *err);

/* 429 for a client that has sent too many wrong passwords. */
void admit_refuse_guesser(struct response *response, uint64_t wait_ms);
