#pragma once

#include <stddef.h>

/*
 * A value for an error message, between quotes: its own quotes, backslashes, control characters, invisible characters and
 * unusual blanks are escaped (\" \\ \n \u{a0} \xff), so that they are visible. A long value is cut and ends in "...". Pure:
 * from any thread.
 */
enum { SHOWN_SIZE = 200 };
void shown_format(const char *text, size_t size, char ret[SHOWN_SIZE]);
