#pragma once

#include "common/json.h"

/*
 * Parses an object by the rules of json_parse_public(), and refuses a name that occurs twice in one
 * object, at any level, because two programs could interpret it in different ways. 0 with *ret
 * owned by the caller (json_free), -EBADMSG or -ENOMEM. Not for secrets.
 */
int strict_json_parse(const void *text, size_t size, struct json **ret) MUST_USE;
