/*
 * One error object for all failures with an external cause. The text is inside the object, so
 * that reporting a failure cannot fail, even if memory is exhausted. File names and gpg's messages
 * may contain any bytes, so the text is made printable.
 */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/printable.h"

static void append(struct error *err, const char *text)
{
    size_t used = strlen(err->text);

    snprintf(err->text + used, sizeof(err->text) - used, "%s", text);
}

int error_set(struct error *err, int code, const char *format, ...)
{
    va_list args;

    if (!err)
        return -code;
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    printable_clean(err->text);
    return -code;
}

int error_set_errno(struct error *err, int code, const char *format, ...)
{
    va_list args;

    if (!err)
        return -code;
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    append(err, ": ");
    append(err, strerror(code));
    printable_clean(err->text);
    return -code;
}

int error_wrap(struct error *err, const char *format, ...)
{
    char inner[sizeof(err->text)];
    va_list args;

    if (!err)
        return -EIO;
    memcpy(inner, err->text, sizeof(inner));
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    append(err, ": ");
    append(err, inner);
    printable_clean(err->text);
    return -err->code;
}

int error_set_oom(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory");
}
