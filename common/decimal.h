#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_MAX = 20 }; /* the digits of the largest number */

/*
 * Writes a number in decimal, with zeros in front up to width digits (at most DECIMAL_MAX), without
 * a NUL. Returns how many digits. For text that is made for each request, because printf() takes
 * many times as long. Pure.
 */
size_t decimal_format(uint64_t number, size_t width, char *ret_digits);
