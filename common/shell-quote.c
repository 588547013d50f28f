#include "common/shell-quote.h"

#include <stdlib.h>
#include <string.h>

char *shell_quote(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
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
