#include "common/rfc3339.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const char form[] = "%Y-%m-%dT%H:%M:%SZ";

void rfc3339_format(int64_t seconds, char ret_text[RFC3339_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    ret_text[0] = '\0';
    if (gmtime_r(&when, &tm) && strftime(ret_text, RFC3339_SIZE, form, &tm) == 0)
        ret_text[0] = '\0';
}

int rfc3339_parse(const char *text, size_t size, int64_t *ret_seconds)
{
    char copy[RFC3339_SIZE], again[RFC3339_SIZE];
    struct tm tm = {0};
    const char *end;
    int64_t seconds;

    if (size >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    end = strptime(copy, form, &tm);
    if (!end || *end)
        return -EINVAL;
    seconds = timegm(&tm);
    rfc3339_format(seconds, again); /* timegm() accepts 30 February */
    if (strcmp(copy, again) != 0)
        return -EINVAL;
    *ret_seconds = seconds;
    return 0;
}
