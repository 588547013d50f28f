/*
 * JSON strings as Go writes them: clients compare and cache the helper's output, and cJSON's
 * printer escapes differently. The caller provides the memory, so a secret can be quoted from one
 * secure buffer directly into another.
 */
#include "common/json-quote.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

struct quoted {
    char *at; /* NULL: only count */
    size_t size;
};

static void put(struct quoted *quoted, const void *bytes, size_t size)
{
    if (quoted->at) {
        memcpy(quoted->at, bytes, size);
        quoted->at += size;
    }
    quoted->size += size;
}

static void put_unicode_escape(struct quoted *quoted, uint32_t code_point)
{
    static const char digits[] = "0123456789abcdef";
    const char escape[6] = {'\\',
                            'u',
                            digits[code_point >> 12 & 0xF],
                            digits[code_point >> 8 & 0xF],
                            digits[code_point >> 4 & 0xF],
                            digits[code_point & 0xF]};

    put(quoted, escape, sizeof(escape));
}

static int has_short_escape(uint32_t code_point, char *ret_letter)
{
    static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    const char *at = code_point && code_point < 0x80 ? strchr(from, (int)code_point) : NULL;

    if (at)
        *ret_letter = to[at - from];
    return at != NULL;
}

static int needs_unicode_escape(uint32_t code_point, size_t length)
{
    return code_point < 0x20 || code_point == '<' || code_point == '>' || code_point == '&' ||
           code_point == 0x2028 || code_point == 0x2029 ||
           (code_point == UTF8_REPLACEMENT && length == 1);
}

size_t json_quote(const void *text, size_t size, char *ret_quoted)
{
    struct quoted quoted = {.at = ret_quoted};
    const unsigned char *at = text, *end = size ? at + size : at; /* NULL + 0 is undefined */
    uint32_t code_point;
    char letter;

    put(&quoted, "\"", 1);
    while (at < end) {
        size_t length = utf8_decode(at, (size_t)(end - at), &code_point);

        if (has_short_escape(code_point, &letter))
            put(&quoted, (const char[]){'\\', letter}, 2);
        else if (needs_unicode_escape(code_point, length))
            put_unicode_escape(&quoted, code_point);
        else
            put(&quoted, at, length);
        at += length;
    }
    put(&quoted, "\"", 1);
    return quoted.size;
}

char *json_quote_new(const char *text)
{
    size_t size = strlen(text);
    char *quoted = malloc(json_quote(text, size, NULL) + 1);

    if (quoted)
        quoted[json_quote(text, size, quoted)] = '\0';
    return quoted;
}
