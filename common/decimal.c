#include "common/decimal.h"

#include <string.h>

size_t decimal_format(uint64_t number, size_t width, char *ret_digits)
{
    char digits[DECIMAL_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (at > 0 && sizeof(digits) - at < width)
        digits[--at] = '0';
    memcpy(ret_digits, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}
