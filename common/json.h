#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/secbuf.h"

/*
 * A parsed JSON document. Only the implementation of this header uses cJSON. Nodes are borrowed
 * from the document and valid until it is freed. Any thread may parse documents, and several
 * threads may read one document at once.
 */
struct json;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/*
 * Parses the first JSON value of text, by the rules of json-guard.h, into secure memory, strings
 * included. Ignores what follows it. 0 with *ret owned by the caller (free with json_free),
 * -EBADMSG for invalid JSON, or -ENOMEM.
 */
int json_parse(const void *text, size_t size, struct json **ret) MUST_USE;

/*
 * The same in ordinary memory, for text that is not a secret. Like Go's Unmarshal, and unlike
 * json_parse(), it allows only white space after the value. -EBADMSG for more than
 * JSON_DEEPEST_PUBLIC levels; -E2BIG for more than JSON_MOST_PUBLIC names and values.
 */
int json_parse_public(const void *text, size_t size, struct json **ret) MUST_USE;
enum { JSON_DEEPEST_PUBLIC = 500, JSON_MOST_PUBLIC = 250000 };

void json_free(struct json *document);

enum json_type json_get_type(const struct json *node);

/* The first member of an object or element of an array, and the one after a node; else NULL. */
const struct json *json_get_first(const struct json *node);
const struct json *json_get_next(const struct json *node);

/* The name of an object's member, up to its first NUL; NULL for others. */
const char *json_get_name(const struct json *member);

/*
 * The last member with exactly that name, which is the one that Go's decoder uses; NULL if there is
 * none, or no object.
 */
const struct json *json_find(const struct json *object, const char *name);

/*
 * Whether Go's encoding/json takes a member of this name for the field `folded`, which is in lower
 * case: letters in any case, U+017F for s, U+212A for k.
 */
bool json_is_folded(const char *name, const char *folded);

/* The text of a JSON_STRING; NULL for NULL, for other types, and for a text that holds a NUL. */
const char *json_get_text(const struct json *string);

/*
 * 0; -EINVAL for NULL, for another type and for a fraction; -ERANGE beyond 2^53 in either
 * direction, where numbers in JSON are not exact.
 */
int json_get_integer(const struct json *number, int64_t *ret) MUST_USE;

/*
 * The value of a JSON_NUMBER, which is infinite if it is too large for the type. 0, or -EINVAL for
 * NULL and other types.
 */
int json_get_number(const struct json *number, double *ret) MUST_USE;

/*
 * Writes a node as JSON without white space, strings as json_quote() does. Returns the length. If
 * ret_text is NULL it only counts; otherwise ret_text must have room for that many bytes (no NUL is
 * written).
 */
size_t json_format(const struct json *node, char *ret_text);

/* Appends the bytes of a JSON_STRING, NULs included. 0 or -ENOMEM. */
int json_copy_string(const struct json *node, struct secbuf *ret_text) MUST_USE;

static inline void json_freep(struct json **document)
{
    json_free(*document);
}
