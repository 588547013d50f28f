#include "registry/access/line-error.h"

#include <errno.h>
#include <stdio.h>

void line_error_set(struct error *err, const char *source, uint32_t line, const char *format,
                    va_list args)
{
    char text[512];

    vsnprintf(text, sizeof(text), format, args);
    error_set(err, EINVAL, "%s line %u: %s", source, line, text);
}
