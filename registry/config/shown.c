#include "registry/config/shown.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/macros.h"
#include "common/printable.h"
#include "common/utf8.h"

enum { ESCAPE_SIZE = 16, END_SIZE = 5 /* ..." and NUL */ };

/*
 * Invisible characters other than the usual space: soft hyphen, zero-width characters, byte order
 * mark.
 */
static bool is_invisible(uint32_t code_point)
{
    return (code_point != ' ' && utf8_is_space(code_point)) || code_point == 0xAD ||
           code_point == 0xFEFF || (code_point >= 0x200B && code_point <= 0x200F) ||
           (code_point >= 0x2060 && code_point <= 0x2064);
}

/* Formats one code point, which is length bytes long. */
static void escape(const unsigned char *bytes, size_t length, uint32_t code_point,
                   char ret[ESCAPE_SIZE])
{
    static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    const char *found = code_point > 0 && code_point < 0x80 ? strchr(from, (int)code_point) : NULL;

    if (found)
        snprintf(ret, ESCAPE_SIZE, "\\%c", to[found - from]);
    else if (code_point < 0x20 || code_point == 0x7F ||
             (code_point == UTF8_REPLACEMENT && length == 1))
        snprintf(ret, ESCAPE_SIZE, "\\x%02x", bytes[0]);
    else if (!printable_is_safe(code_point) || is_invisible(code_point))
        snprintf(ret, ESCAPE_SIZE, "\\u{%x}", (unsigned)code_point);
    else
        snprintf(ret, ESCAPE_SIZE, "%.*s", (int)length, (const char *)bytes);
}

void shown_format(const char *text, size_t size, char ret[SHOWN_SIZE])
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t used = 1, length;

    ret[0] = '"';
    for (size_t at = 0; at < size; at += length) {
        char escaped[ESCAPE_SIZE];
        uint32_t code_point;

        length = utf8_decode(bytes + at, size - at, &code_point);
        escape(bytes + at, length, code_point, escaped);
        if (used + strlen(escaped) + END_SIZE > SHOWN_SIZE) {
            snprintf(ret + used, SHOWN_SIZE - used, "...\"");
            return;
        }
        used += (size_t)snprintf(ret + used, SHOWN_SIZE - used, "%s", escaped);
    }
    snprintf(ret + used, SHOWN_SIZE - used, "\"");
}
