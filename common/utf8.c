/*
 * UTF-8 as Go reads it: what is invalid is replaced byte by byte, so that our answers are
 * byte for byte those of the helper that docker users know.
 */
#include "common/utf8.h"

/* The length of the sequence that a byte starts; 0 for a byte that cannot start one. */
static size_t announced_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    if (first >= 0xF0 && first <= 0xF4)
        return 4;
    return 0;
}

static bool is_valid(uint32_t code_point, size_t length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

    return code_point >= smallest[length] && code_point <= 0x10FFFF &&
           !(code_point >= 0xD800 && code_point <= 0xDFFF);
}

size_t utf8_decode(const unsigned char *text, size_t size, uint32_t *ret_code_point)
{
    static const unsigned char first_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t length = announced_length(text[0]);
    uint32_t code_point;

    *ret_code_point = UTF8_REPLACEMENT;
    if (length == 0 || length > size)
        return 1;
    code_point = text[0] & first_mask[length];
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 1;
        code_point = code_point << 6 | (text[i] & 0x3F);
    }
    if (!is_valid(code_point, length))
        return 1;
    *ret_code_point = code_point;
    return length;
}

bool utf8_is_space(uint32_t code_point)
{
    return (code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x20 || code_point == 0x85 ||
           code_point == 0xA0 || code_point == 0x1680 ||
           (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 ||
           code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F ||
           code_point == 0x3000;
}

void utf8_trim(const unsigned char *text, size_t size, const unsigned char **ret_start,
               size_t *ret_size)
{
    size_t start = size, end = 0, length;
    uint32_t code_point;

    for (size_t at = 0; at < size; at += length) {
        length = utf8_decode(text + at, size - at, &code_point);
        if (utf8_is_space(code_point))
            continue;
        if (start == size)
            start = at;
        end = at + length;
    }
    *ret_start = text + start;
    *ret_size = end > start ? end - start : 0;
}
