#include "registry/access/age.h"

#include <errno.h>

enum { HOUR_S = 60 * 60, DAY_S = 24 * HOUR_S, DIGITS_MAX = 7 };

static uint64_t seconds_of(char unit)
{
    switch (unit) {
    case 'h':
        return HOUR_S;
    case 'd':
        return DAY_S;
    case 'w':
        return (uint64_t)7 * DAY_S;
    default:
        return 0;
    }
}

int age_parse(const char *text, size_t size, uint64_t *ret_s)
{
    uint64_t count = 0, unit;

    if (size < 2 || size > DIGITS_MAX + 1)
        return -EINVAL;
    for (size_t i = 0; i + 1 < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        count = count * 10 + (uint64_t)(text[i] - '0');
    }
    unit = seconds_of(text[size - 1]);
    if (unit == 0 || count == 0 || count > (uint64_t)AGE_DAYS_MAX * DAY_S / unit)
        return -EINVAL;
    *ret_s = count * unit;
    return 0;
}
