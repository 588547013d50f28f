#include "common/shell-quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *shell_quote(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
    size_t size = strlen(text), quotes = 0;
    char *quoted, *to;

    if (size > 0 && strspn(text, plain) == size)
        return strdup(text);
    for (const char *c = text; *c; c++)
        quotes += *c == '\'';
    quoted = to = malloc(size + 3 * quotes + 3);
    if (!quoted)
        return NULL;
    *to++ = '\'';
    for (const char *c = text; *c; c++) {
        if (*c == '\'') { /* close the quotes, add a quoted quote, and open them again */
            memcpy(to, "'\\'", 3);
            to += 3;
        }
        *to++ = *c;
    }
    *to++ = '\'';
    *to = '\0';
    return quoted;
}

char *shell_format(const char *format, va_list arguments)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    bool is_whole = true;

    if (!stream)
        return NULL;
    for (const char *at = format; *at; at++) {
        if (at[0] == '%' && at[1] == 's') {
            CLEANUP_FREE char *quoted = shell_quote(va_arg(arguments, const char *));

            is_whole &= quoted != NULL;
            fputs(quoted ? quoted : "", stream);
            at++;
        } else {
            fputc(*at, stream);
        }
    }
    if (fclose(stream) == 0 && is_whole)
        return text;
    free(text);
    return NULL;
}
