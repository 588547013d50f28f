#pragma once

#include "registry/api/endpoint.h"

/* The parameters of the page's requests. Each function refuses invalid ones in response. */

enum { PAGE_N_DEFAULT = 50, PAGE_N_MAX = 200 };

/* Refuses a request with 400, and the detail {"<key>":"<text>"}. Returns false. */
bool page_query_refuse(struct response *response, const char *key, const char *text);

/* Gets n=, from 1 to PAGE_N_MAX. False if it is no number; a larger one counts as the maximum. */
bool page_query_n(const struct call *call, struct response *response, size_t *ret);

/*
 * Gets the text of a parameter, "" if it is missing. False if it is too long or has
 * control characters.
 */
bool page_query_text(const struct call *call, struct response *response, const char *key,
                     char *ret_text, size_t size);
