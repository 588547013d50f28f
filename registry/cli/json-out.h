#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/*
 * Writes one JSON document to standard output, in one line. A name is NULL for an element of an
 * array. Invalid UTF-8 is replaced by U+FFFD. If memory is exhausted, json_out_end() reports it.
 */
struct json_out {
    bool needs_comma, has_failed;
};

void json_out_open(struct json_out *out, const char *name, char bracket); /* '{' or '[' */
void json_out_close(struct json_out *out, char bracket);                  /* '}' or ']' */
void json_out_text(struct json_out *out, const char *name, const char *text);
void json_out_number(struct json_out *out, const char *name, uint64_t number);
void json_out_bool(struct json_out *out, const char *name, bool value);
void json_out_raw(struct json_out *out, const char *name, const char *json); /* valid JSON */
void json_out_time(struct json_out *out, const char *name,
                   int64_t seconds); /* since 1970, as RFC 3339 in UTC */

/* Ends the line. 0 or -ENOMEM. */
int json_out_end(struct json_out *out, struct error *err) MUST_USE;
