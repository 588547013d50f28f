#pragma once

#include "registry/api/endpoint.h"

/* Refuses requests whose credentials are missing, wrong or insufficient. */

/*
 * Answers 401 and asks for a token with these scopes or, if the registry has no tokens, for a
 * password. The reason becomes the error of RFC 6750, section 3.1. All borrowed.
 */
void challenge(const struct call *call, struct response *response,
               const struct access_scope *scopes, size_t count, enum access_reason reason);

/* Whether the request comes from the web page. */
bool challenge_is_from_page(const struct call *call);

/* Adds the header WWW-Authenticate that asks for a password. */
void challenge_add_basic(const struct call *call, struct response *response);

/*
 * Formats the resources that a refusal is about, as registry:2 does; "null" outside a repository.
 */
enum { CHALLENGE_DETAIL_SIZE = 1200 };
void challenge_format_detail(const struct access_scope *scopes, size_t count,
                             char ret_detail[CHALLENGE_DETAIL_SIZE]);
