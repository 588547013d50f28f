#pragma once

#include <stdbool.h>
#include <string.h>

/* Percent-encoding (RFC 3986 section 2), for those who write it to different places. Pure. */

enum { PERCENT_SIZE = 3 };

/* Whether the character is never escaped: a letter, a digit or one of "-._~". */
static inline bool percent_is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

/* Writes "%XX", without a NUL. */
static inline void percent_encode(char c, char ret_text[PERCENT_SIZE])
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;

    ret_text[0] = '%';
    ret_text[1] = digits[byte >> 4];
    ret_text[2] = digits[byte & 0xF];
}
