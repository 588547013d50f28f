#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Makes text safe to print. Names of files, users and servers are untrusted, and a terminal
 * interprets escape sequences and C1 controls in them, and characters that change the direction of
 * a line so that it reads as something else (Unicode's Bidi_Control).
 */

/*
 * Whether a code point is safe to print: no control, line or paragraph separator, or change of
 * direction.
 */
bool printable_is_safe(uint32_t code_point);

/*
 * Replaces each byte of invalid UTF-8, and each unsafe character, by '?'. In place; text never
 * grows.
 */
void printable_clean(char *text);

/*
 * Makes JSON of size bytes, in valid UTF-8, safe to print: unsafe characters become \uXXXX, which
 * has the same meaning. Returns the length. If ret_text is NULL it only counts; otherwise ret_text
 * must have room for that many bytes (no NUL is written).
 */
size_t printable_escape_json(const char *json, size_t size, char *ret_text);
