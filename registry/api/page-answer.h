#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "registry/api/text.h"
#include "registry/http/response.h"

/* Parts of the answers of the page's extension of the API. */

/*
 * Add "name":value to an object, with a comma unless it is the first member. Names need no escapes.
 */
void page_add_bool(struct text *text, const char *name, bool value);
void page_add_text(struct text *text, const char *name, const char *value);
void page_add_number(struct text *text, const char *name, uint64_t number);
/* Seconds since 1970, as RFC 3339 in UTC. */
void page_add_time(struct text *text, const char *name, int64_t seconds);

/* Answers 200 with the text, and takes ownership of it. No cache keeps the answer. */
void page_answer(struct response *response, struct text *text);
