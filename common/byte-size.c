#include "common/byte-size.h"

#include <errno.h>
#include <string.h>

/* The digits at the start; *ret_digits is their number. */
static int parse_number(const char *text, size_t size, size_t *ret_digits, uint64_t *ret)
{
    uint64_t number = 0;
    size_t digits = 0;

    for (; digits < size && text[digits] >= '0' && text[digits] <= '9'; digits++)
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[digits] - '0'), &number))
            return -ERANGE;
    *ret_digits = digits;
    *ret = number;
    return number > 0 ? 0 : -EINVAL;
}

/* "B", "kB", "KiB", "MB" and so on: how many steps of which factor. */
static int parse_unit(const char *text, size_t size, unsigned *ret_steps, uint64_t *ret_factor)
{
    static const char letters[] = "kMGTP";
    const char *letter;

    *ret_steps = 0;
    *ret_factor = 1000;
    if (size == 0 || text[size - 1] != 'B')
        return -EINVAL;
    if (size == 1)
        return 0;
    letter = strchr(letters, text[0] == 'K' ? 'k' : text[0]);
    if (!letter || !*letter || size > 3 || (size == 3 && text[1] != 'i'))
        return -EINVAL;
    *ret_steps = (unsigned)(letter - letters) + 1;
    *ret_factor = size == 3 ? 1024 : 1000;
    return 0;
}

int byte_size_parse(const char *text, size_t size, uint64_t *ret)
{
    uint64_t bytes, factor;
    unsigned steps;
    size_t digits;
    int r = parse_number(text, size, &digits, &bytes);

    if (r == 0)
        r = parse_unit(text + digits, size - digits, &steps, &factor);
    if (r < 0)
        return r;
    for (; steps > 0; steps--)
        if (__builtin_mul_overflow(bytes, factor, &bytes))
            return -ERANGE;
    if (bytes > INT64_MAX)
        return -ERANGE;
    *ret = bytes;
    return 0;
}
