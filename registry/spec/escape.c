/*
 * Percent-encoding. Escaped text is always ASCII, because names from the storage become part of
 * URLs. Decoded text never contains a NUL, which other code would take for its end, because anyone
 * may send URLs.
 */
#include "registry/spec/escape.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/percent.h"

static int escape(const char *text, size_t size, const char *also, char *ret_text, size_t ret_size)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        bool is_kept = percent_is_unreserved(text[i]) || (text[i] && strchr(also, text[i]));

        if (ret_size < at + (is_kept ? 1 : PERCENT_SIZE) + 1) /* with the NUL */
            return -E2BIG;
        if (is_kept) {
            ret_text[at++] = text[i];
        } else {
            percent_encode(text[i], ret_text + at);
            at += PERCENT_SIZE;
        }
    }
    if (ret_size < at + 1)
        return -E2BIG;
    ret_text[at] = '\0';
    return 0;
}

int escape_query(const char *text, size_t size, char *ret_text, size_t ret_size)
{
    return escape(text, size, "", ret_text, ret_size);
}

int escape_path(const char *text, size_t size, char *ret_text, size_t ret_size)
{
    return escape(text, size, "/:@", ret_text, ret_size);
}

static int value_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one byte and advances *at, which must be before end. Returns the byte, or -EINVAL. */
static int decode_one(const char **at, const char *end, enum escape_part part)
{
    const char *text = *at;
    int high, low;

    *at += *text == '%' ? 3 : 1;
    if (*text == '+' && part == ESCAPE_QUERY)
        return ' ';
    if (*text != '%')
        return *text ? (unsigned char)*text : -EINVAL;
    if (end - text < 3)
        return -EINVAL;
    high = value_of(text[1]);
    low = value_of(text[2]);
    return high < 0 || low < 0 || (high == 0 && low == 0) ? -EINVAL : high * 16 + low;
}

int escape_decode(const char *text, size_t size, enum escape_part part, char *ret_text,
                  size_t ret_size)
{
    const char *end = text + size;
    size_t written = 0;

    while (text < end) {
        int byte = decode_one(&text, end, part);

        if (byte < 0)
            return byte;
        if (ret_size < written + 2)
            return -E2BIG;
        ret_text[written++] = (char)byte;
    }
    if (ret_size < written + 1)
        return -E2BIG;
    ret_text[written] = '\0';
    return 0;
}

/* Whether the escaped text is key. */
static bool is_key(const char *text, size_t size, const char *key)
{
    const char *end = text + size;

    while (text < end) {
        int byte = decode_one(&text, end, ESCAPE_QUERY);

        if (byte <= 0 || byte != (unsigned char)*key++)
            return false;
    }
    return *key == '\0';
}

int escape_find_next(const char **query, const char *key, char *ret_value, size_t ret_size)
{
    const char *at = *query;

    while (*at) {
        size_t pair = strcspn(at, "&"), name = strcspn(at, "=&");
        const char *value = at + name + (name < pair), *end = at + pair;
        bool is_found = is_key(at, name, key);

        at = end + (*end == '&');
        *query = at;
        if (is_found)
            return escape_decode(value, (size_t)(end - value), ESCAPE_QUERY, ret_value, ret_size);
    }
    return -ENOENT;
}

int escape_find(const char *query, const char *key, char *ret_value, size_t ret_size)
{
    return escape_find_next(&query, key, ret_value, ret_size);
}
