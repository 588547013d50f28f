#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text that may be shown. Names of files, users and servers are chosen by others, and a terminal obeys what is in
 * them: escape sequences, the C1 controls that some take for such, and characters that turn the direction of a line
 * so that it reads as something else (Unicode's Bidi_Control).
 */

/* Whether a terminal may be given it: no control, no line or paragraph separator, none that turns the direction. */
bool printable_is_safe(uint32_t code_point);

/* Puts '?' for each byte that is no UTF-8 and for each character that is not safe. In place; text never grows. */
void printable_clean(char *text);

/*
 * JSON (of size bytes, with strings in UTF-8 and no invalid bytes) for a terminal: what is not safe to show becomes
 * \uXXXX, which means the same. Returns the length; with ret_text NULL it only counts, otherwise ret_text has room for
 * that many bytes (no NUL is written).
 */
size_t printable_escape_json(const char *json, size_t size, char *ret_text);
