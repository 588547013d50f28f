/*
 * Decides what is safe on a terminal, for errors, setup, doctor and answers.
 */
#include "common/printable.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

bool printable_is_safe(uint32_t code_point)
{
    static const struct {
        uint32_t first, last;
    } unsafe[] = {
        {0x00, 0x1F},
        {0x7F, 0x9F}, /* C0, DEL and C1 */
        {0x61C, 0x61C},
        {0x200E, 0x200F}, /* marks of direction */
        /* separators, embeddings, overrides, isolates */
        {0x2028, 0x202E},
        {0x2066, 0x2069},
    };

    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
        if (code_point >= unsafe[i].first && code_point <= unsafe[i].last)
            return false;
    return true;
}

void printable_clean(char *text)
{
    size_t size = strlen(text), length;
    char *to = text;

    for (size_t at = 0; at < size; at += length) {
        uint32_t code_point;

        length = utf8_decode((const unsigned char *)text + at, size - at, &code_point);
        if (!printable_is_safe(code_point) || (code_point == UTF8_REPLACEMENT && length == 1)) {
            *to++ = '?';
        } else {
            memmove(to, text + at, length);
            to += length;
        }
    }
    *to = '\0';
}

size_t printable_escape_json(const char *json, size_t size, char *ret_text)
{
    size_t used = 0, length;

    for (size_t at = 0; at < size; at += length) {
        uint32_t code_point;
        char escaped[8];

        length = utf8_decode((const unsigned char *)json + at, size - at, &code_point);
        /* the final newline; in strings it is escaped */
        if (printable_is_safe(code_point) || json[at] == '\n') {
            if (ret_text)
                memcpy(ret_text + used, json + at, length);
            used += length;
            continue;
        }
        /* all of them are below U+10000 */
        snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)code_point);
        if (ret_text)
            memcpy(ret_text + used, escaped, 6);
        used += 6;
    }
    return used;
}
