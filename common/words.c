#include "common/words.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/macros.h"

enum { UNIT = 1024 };

const char *words_duration(uint64_t seconds, char ret[WORDS_SIZE_MAX])
{
    static const struct {
        uint64_t seconds;
        const char *one, *many;
    } units[] = {{86400, "day", "days"},
                 {3600, "hour", "hours"},
                 {60, "minute", "minutes"},
                 {1, "second", "seconds"}};
    size_t size = 0;

    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        uint64_t count = seconds / units[i].seconds;

        seconds %= units[i].seconds;
        if (count > 0 || (size == 0 && units[i].seconds == 1))
            size += (size_t)snprintf(ret + size, WORDS_SIZE_MAX - size, "%s%" PRIu64 " %s",
                                     size > 0 ? " " : "", count,
                                     words_plural(count, units[i].one, units[i].many));
    }
    return ret;
}

const char *words_short_bytes(uint64_t bytes, char ret[WORDS_SIZE_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double shown = (double)bytes;
    size_t unit = 0;

    for (; shown >= UNIT; unit++)
        shown /= UNIT;
    if (unit == 0)
        snprintf(ret, WORDS_SIZE_MAX, "%" PRIu64 " B", bytes);
    else
        snprintf(ret, WORDS_SIZE_MAX, "%.1f %s", shown, units[unit]);
    return ret;
}

const char *words_bytes(uint64_t bytes, char ret[WORDS_SIZE_MAX])
{
    char shown[WORDS_SIZE_MAX];

    if (bytes < UNIT)
        snprintf(ret, WORDS_SIZE_MAX, "%" PRIu64 " %s", bytes,
                 words_plural(bytes, "byte", "bytes"));
    else
        snprintf(ret, WORDS_SIZE_MAX, "%.20s (%" PRIu64 " bytes)", words_short_bytes(bytes, shown),
                 bytes);
    return ret;
}
