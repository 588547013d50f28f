#pragma once

#include "registry/api/endpoint.h"

/* The refusal of a request whose credentials are missing, wrong or not enough. */

/* Why a request with an access token was refused, as RFC 6750 names it. */
enum challenge_reason { CHALLENGE_PLAIN, CHALLENGE_INVALID_TOKEN, CHALLENGE_INSUFFICIENT_SCOPE };

/*
 * 401 with what could help: a token for these scopes if the registry has tokens, otherwise a password. All borrowed.
 */
void challenge(const struct call *call, struct response *response, const struct access_scope *scopes, size_t count,
               enum challenge_reason reason);

/* The value of WWW-Authenticate for a password. */
void challenge_add_basic(const struct call *call, struct response *response);

/* Which resources a refusal is about, in registry:2's words: "null" outside of a repository. */
enum { CHALLENGE_DETAIL_SIZE = 1200 };
void challenge_format_detail(const struct access_scope *scopes, size_t count,
                             char ret_detail[CHALLENGE_DETAIL_SIZE]);
