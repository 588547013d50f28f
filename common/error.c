/*
 * One error object for everything that can fail for an outside cause. The text lives inside the
 * object, so that reporting a failure cannot itself fail, not even out of memory.
 */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* File names and gpg's messages may hold anything; an error is one line for docker to show. */
static void make_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

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
    make_one_line(err->text);
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
    make_one_line(err->text);
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
    make_one_line(err->text);
    return -err->code;
}

int error_set_oom(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory");
}
