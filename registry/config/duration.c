#include "registry/config/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/macros.h"

enum { NS_IN_MS = 1000000 };

static int multiply_add(uint64_t *value, uint64_t factor, uint64_t more)
{
    uint64_t product;

    if (__builtin_mul_overflow(*value, factor, &product) ||
        __builtin_add_overflow(product, more, value) || *value > INT64_MAX)
        return -ERANGE;
    return 0;
}

static int read_unit(const char **at, uint64_t *ret_ns)
{
    static const struct { const char *name; uint64_t ns; } units[] = {
        {"ns", 1}, {"us", 1000}, {"\xC2\xB5s", 1000}, {"\xCE\xBCs", 1000}, {"ms", NS_IN_MS},
        {"s", 1000000000}, {"m", 60ull * 1000000000}, {"h", 3600ull * 1000000000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        size_t size = strlen(units[i].name);

        if (strncmp(*at, units[i].name, size) != 0)
            continue;
        *at += size;
        *ret_ns = units[i].ns;
        return 0;
    }
    return -EINVAL;
}

/*
 * The digits after the point: the fraction is *ret_fraction / *ret_scale. Digits after the 15th are
 * less than a nanosecond.
 */
static void read_fraction(const char **at, uint64_t *ret_fraction, uint64_t *ret_scale)
{
    *ret_fraction = 0;
    *ret_scale = 1;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (*ret_scale >= 1000000000000000)
            continue;
        *ret_fraction = *ret_fraction * 10 + (uint64_t)(**at - '0');
        *ret_scale *= 10;
    }
}

static int read_number(const char **at, uint64_t *ret_whole, uint64_t *ret_fraction,
                       uint64_t *ret_scale)
{
    const char *start = *at;
    size_t digits;
    int r = 0;

    *ret_whole = *ret_fraction = 0;
    *ret_scale = 1;
    for (; r == 0 && **at >= '0' && **at <= '9'; (*at)++)
        r = multiply_add(ret_whole, 10, (uint64_t)(**at - '0'));
    digits = (size_t)(*at - start);
    if (r == 0 && **at == '.') {
        start = ++*at;
        read_fraction(at, ret_fraction, ret_scale);
        digits += (size_t)(*at - start);
    }
    return r < 0 || digits ? r : -EINVAL;
}

/* Adds one number with its unit to *total. */
static int read_part(const char **at, uint64_t *total)
{
    uint64_t value, fraction, scale, unit;
    int r = read_number(at, &value, &fraction, &scale);

    if (r == 0)
        r = read_unit(at, &unit);
    if (r == 0)
        r = multiply_add(
            &value, unit,
            (uint64_t)((long double)unit * (long double)fraction / (long double)scale));
    if (r == 0)
        r = multiply_add(total, 1, value);
    return r;
}

int duration_parse(const char *text, uint64_t *ret_ms)
{
    bool is_negative = *text == '-';
    uint64_t ns = 0;
    int r = 0;

    text += *text == '-' || *text == '+';
    if (strcmp(text, "0") != 0)
        do
            r = read_part(&text, &ns);
        while (r == 0 && *text);
    if (r == 0 && is_negative && ns > 0)
        r = -ERANGE;
    if (r == 0)
        *ret_ms = ns / NS_IN_MS + (ns % NS_IN_MS > 0);
    return r;
}
