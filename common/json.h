#pragma once

#include <stddef.h>

#include "common/secbuf.h"

/*
 * A parsed JSON document. All of it, strings included, lies in secure memory; cJSON is behind
 * this header and nowhere else. Nodes are borrowed from the document and valid until it is freed.
 */
struct json;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/*
 * Parses the first JSON value of text, by the rules of json-guard.h. 0 with *ret owned by the
 * caller (free with json_free), -EBADMSG where that is no JSON, or -ENOMEM.
 */
int json_parse(const void *text, size_t size, struct json **ret) MUST_USE;
void json_free(struct json *document);

enum json_type json_get_type(const struct json *node);

/* The first member of an object or element of an array, and the one after a node; else NULL. */
const struct json *json_get_first(const struct json *node);
const struct json *json_get_next(const struct json *node);

/* The name of an object's member, up to its first NUL; NULL for others. */
const char *json_get_name(const struct json *member);

/* Appends the bytes of a JSON_STRING, NULs included. 0 or -ENOMEM. */
int json_copy_string(const struct json *node, struct secbuf *ret_text) MUST_USE;

static inline void json_freep(struct json **document)
{
    json_free(*document);
}
