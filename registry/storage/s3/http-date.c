#include "registry/storage/s3/http-date.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int http_date_parse(const char *text, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *comma = strchr(text, ','), *found;
    struct tm tm = {0};
    char month[4];
    int end = 0;

    if (!comma ||
        sscanf(comma + 1, " %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &tm.tm_year,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 6 ||
        end == 0 || comma[1 + end])
        return -EINVAL;
    found = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (!found || (found - months) % 3 != 0 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
        tm.tm_sec > 60 || tm.tm_year < 1970)
        return -EINVAL;
    tm.tm_mon = (int)(found - months) / 3;
    tm.tm_year -= 1900;
    *ret = (int64_t)timegm(&tm);
    return 0;
}
