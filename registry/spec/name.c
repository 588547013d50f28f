/*
 * Validates names. They become directories on the disk and parts of URLs, so a valid name must be
 * harmless in both: no component "." or "..", no empty component, only lower-case ASCII.
 */
#include "registry/spec/name.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alphanumeric(char c)
{
    return is_lower(c) || is_digit(c);
}

/*
 * Returns the length of the separator at the start of text: one '.' or '/', one or two '_', or any
 * number of '-'.
 */
static size_t measure_separator(const char *text, size_t size)
{
    size_t n = 1;

    if (*text == '-')
        while (n < size && text[n] == '-')
            n++;
    else if (*text == '_')
        n = size > 1 && text[1] == '_' ? 2 : 1;
    else if (*text != '.' && *text != '/')
        return 0;
    return n;
}

/* The grammar means: runs of letters and digits, with one separator between two runs. */
bool name_is_repository(const char *text, size_t size)
{
    const char *end = text + size;

    if (size == 0 || size > NAME_MAX_SIZE)
        return false;
    for (;;) {
        const char *run = text;
        size_t separator;

        while (text < end && is_alphanumeric(*text))
            text++;
        if (text == run)
            return false;
        if (text == end)
            return true;
        separator = measure_separator(text, (size_t)(end - text));
        if (separator == 0)
            return false;
        text += separator;
    }
}

static bool is_word(char c)
{
    return is_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool name_is_tag(const char *text, size_t size)
{
    if (size == 0 || size > TAG_MAX_SIZE || !is_word(*text))
        return false;
    for (size_t i = 1; i < size; i++)
        if (!is_word(text[i]) && text[i] != '.' && text[i] != '-')
            return false;
    return true;
}

bool name_is_upload(const char *text, size_t size)
{
    if (size != UPLOAD_ID_SIZE)
        return false;
    for (size_t i = 0; i < size; i++) {
        bool is_dash_wanted = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash_wanted ? text[i] != '-'
                           : !is_digit(text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    }
    return true;
}
