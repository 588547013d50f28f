#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_MAX = 20 }; /* the digits of the largest number */

/*
 * Writes a number in decimal, with zeros in front up to width digits (at most DECIMAL_MAX), without
 * a NUL. Returns the number of digits. Used for text in each request, because printf() is many
 * times slower. Pure.
 */
size_t decimal_format(uint64_t number, size_t width, char *ret_digits);
