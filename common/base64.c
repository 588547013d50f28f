/*
 * The name of a server's directory in the store is its URL in base64 (URL alphabet, padded).
 * Decoding is strict, because a directory whose name is not canonical could be listed but never
 * be found by its URL.
 */
#include "common/base64.h"

#include <errno.h>
#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encoded_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

void base64url_encode(const void *data, size_t size, char *ret_text)
{
    const unsigned char *in = data;

    for (; size > 0; ret_text += 4) {
        size_t taken = size < 3 ? size : 3;
        uint32_t group = (uint32_t)in[0] << 16;

        if (taken > 1)
            group |= (uint32_t)in[1] << 8;
        if (taken > 2)
            group |= in[2];
        ret_text[0] = alphabet[group >> 18];
        ret_text[1] = alphabet[group >> 12 & 0x3F];
        ret_text[2] = taken > 1 ? alphabet[group >> 6 & 0x3F] : '=';
        ret_text[3] = taken > 2 ? alphabet[group & 0x3F] : '=';
        in += taken;
        size -= taken;
    }
    *ret_text = '\0';
}

/* The last two characters of the alphabets. */
static const char url_end[] = "-_", standard_end[] = "+/";

/* The value of a character, or -1. */
static int value_of(char c, const char *alphabet_end)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == alphabet_end[0] ? 62 : c == alphabet_end[1] ? 63 : -1;
}

/* Decodes one group of four, of which the last `padding` are '='. */
static int decode_group(const char *text, int padding, const char *alphabet_end,
                        unsigned char *ret_bytes)
{
    uint32_t group = 0;

    for (int i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i], alphabet_end) : 0;

        if (value < 0)
            return -EINVAL;
        group = group << 6 | (uint32_t)value;
    }
    /* Unused bits must be zero. */
    if (padding && group & ((1u << 8 * padding) - 1))
        return -EINVAL;
    for (int i = 0; i < 3 - padding; i++)
        ret_bytes[i] = (unsigned char)(group >> (16 - 8 * i));
    return 0;
}

static int decode(const char *text, size_t size, const char *alphabet_end, void *ret_data,
                  size_t *ret_size)
{
    unsigned char *out = ret_data;
    size_t total = 0;

    if (size % 4 != 0)
        return -EINVAL;
    for (size_t at = 0; at < size; at += 4) {
        int padding = 0;

        if (at + 4 == size && text[at + 3] == '=')
            padding = text[at + 2] == '=' ? 2 : 1;
        if (decode_group(text + at, padding, alphabet_end, out + total) < 0)
            return -EINVAL;
        total += 3 - (size_t)padding;
    }
    *ret_size = total;
    return 0;
}

int base64url_decode(const char *text, size_t size, void *ret_data, size_t *ret_size)
{
    return decode(text, size, url_end, ret_data, ret_size);
}

int base64_decode(const char *text, size_t size, void *ret_data, size_t *ret_size)
{
    return decode(text, size, standard_end, ret_data, ret_size);
}

size_t base64url_encode_bare(const void *data, size_t size, char *ret_text)
{
    static const unsigned char padding[] = {0, 2, 1}; /* by the size of the last group */
    size_t length = base64url_encoded_size(size) - padding[size % 3];

    base64url_encode(data, size, ret_text);
    ret_text[length] = '\0';
    return length;
}

int base64url_decode_bare(const char *text, size_t size, void *ret_data, size_t *ret_size)
{
    size_t rest = size % 4, whole = size - rest, more = 0;
    char last[4] = {'=', '=', '=', '='};
    int r;

    if (rest == 1 || (size > 0 && text[size - 1] == '='))
        return -EINVAL;
    r = base64url_decode(text, whole, ret_data, ret_size);
    if (r < 0 || rest == 0)
        return r;
    for (size_t i = 0; i < rest; i++)
        last[i] = text[whole + i];
    r = base64url_decode(last, sizeof(last), (unsigned char *)ret_data + *ret_size, &more);
    *ret_size += more;
    return r;
}
