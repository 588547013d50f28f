#pragma once

#include <stddef.h>

/*
 * Formats a value for an error message, in quotes. Quotes, backslashes, control characters,
 * invisible characters and unusual spaces in it are escaped (\" \\\\n \u{a0} \xff), so that they
 * are visible. A long value is cut and ends in "...". Pure: from any thread.
 */
enum { SHOWN_SIZE = 200 };
void shown_format(const char *text, size_t size, char ret[SHOWN_SIZE]);
