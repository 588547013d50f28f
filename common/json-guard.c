/*
 * cJSON accepts documents that Go's encoding/json refuses, and cuts strings at "\u0000". A helper
 * that accepts what the other one refuses, or stores half a password, is not a drop-in replacement,
 * so each document is validated here first.
 */
#include "common/json-guard.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

enum {
    DEEPEST_NESTING = 10000, /* as in Go */
    /* cJSON recurses; deeper values become null, because nobody reads them */
    DEEPEST_KEPT = 500,
    LONGEST_NUMBER = 62, /* cJSON up to 1.7.17 does not read longer ones */
};

/* What the grammar allows next. */
enum state {
    WANT_VALUE,
    WANT_VALUE_OR_END,
    WANT_NAME,
    WANT_NAME_OR_END,
    WANT_COLON,
    WANT_COMMA_OR_END
};

struct reader {
    const unsigned char *at, *end;
    struct secbuf *out;
    enum state state;
    int depth;
    unsigned char is_object[DEEPEST_NESTING / 8 + 1]; /* one bit for each open level */
};

static int peek(const struct reader *in)
{
    return in->at < in->end ? *in->at : -1;
}

static int put(struct reader *in, const void *bytes, size_t n)
{
    return in->depth > DEEPEST_KEPT ? 0 : secbuf_append(in->out, bytes, n);
}

/* Copies the next n bytes, which must exist. */
static int copy(struct reader *in, size_t n)
{
    int r = put(in, in->at, n);

    in->at += n;
    return r;
}

static void skip_space(struct reader *in)
{
    while (in->at < in->end && memchr(" \t\r\n", *in->at, 4))
        in->at++;
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int copy_digits(struct reader *in)
{
    size_t n = 0;

    while (in->at + n < in->end && is_digit(in->at[n]))
        n++;
    return n ? copy(in, n) : -EBADMSG;
}

/* Reads a number (RFC 8259 section 6): no leading zeros, digits on both sides of the point. */
static int copy_number(struct reader *in)
{
    int r = 0;

    if (peek(in) == '-')
        r = copy(in, 1);
    if (r == 0)
        r = peek(in) == '0' ? copy(in, 1) : copy_digits(in);
    if (r == 0 && is_digit(peek(in)))
        return -EBADMSG;
    if (r == 0 && peek(in) == '.') {
        r = copy(in, 1);
        r = r < 0 ? r : copy_digits(in);
    }
    if (r == 0 && (peek(in) == 'e' || peek(in) == 'E')) {
        r = copy(in, 1);
        if (r == 0 && (peek(in) == '+' || peek(in) == '-'))
            r = copy(in, 1);
        r = r < 0 ? r : copy_digits(in);
    }
    return r;
}

/*
 * Makes the number that begins at start in the output infinite, and keeps its length. No integer
 * that we use is as long.
 */
static void replace_long_number(struct reader *in, size_t start)
{
    static const char infinite[] = "1e999";
    size_t size = in->out->size - start;

    if (size <= LONGEST_NUMBER)
        return;
    for (size_t i = 0; i < size; i++)
        in->out->data[start + i] = i < strlen(infinite) ? (unsigned char)infinite[i] : ' ';
}

static int copy_short_number(struct reader *in)
{
    size_t start = in->out->size;
    int r = copy_number(in);

    if (r == 0)
        replace_long_number(in, start);
    return r;
}

static int copy_literal(struct reader *in)
{
    static const char *const literals[] = {"null", "true", "false"};

    for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
        size_t n = strlen(literals[i]);

        if ((size_t)(in->end - in->at) >= n && memcmp(in->at, literals[i], n) == 0)
            return copy(in, n);
    }
    return -EBADMSG;
}

/* Reads the "\uXXXX" at p; -1 if it is not one. */
static int32_t read_unicode_escape(const unsigned char *p, const unsigned char *end)
{
    int32_t value = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        if (!isxdigit(p[i]))
            return -1;
        value = value * 16 + (is_digit(p[i]) ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }
    return value;
}

static int copy_unicode_escape(struct reader *in)
{
    int32_t value = read_unicode_escape(in->at, in->end);
    int32_t second;

    if (value < 0)
        return -EBADMSG;
    if (value == 0) {
        in->at += 6;
        return put(in, JSON_NUL_BYTES, 2);
    }
    if (value < 0xD800 || value > 0xDFFF)
        return copy(in, 6);
    second = read_unicode_escape(in->at + 6, in->end);
    if (value <= 0xDBFF && second >= 0xDC00 && second <= 0xDFFF)
        return copy(in, 12);
    in->at += 6;
    return put(in, UTF8_REPLACEMENT_BYTES, 3);
}

static int copy_escape(struct reader *in)
{
    if (in->end - in->at < 2)
        return -EBADMSG;
    if (in->at[1] == 'u')
        return copy_unicode_escape(in);
    return memchr("\"\\/bfnrt", in->at[1], 8) ? copy(in, 2) : -EBADMSG;
}

static int copy_text(struct reader *in)
{
    uint32_t code_point;
    size_t length = utf8_decode(in->at, (size_t)(in->end - in->at), &code_point);

    if (code_point == UTF8_REPLACEMENT && length == 1) {
        in->at++;
        return put(in, UTF8_REPLACEMENT_BYTES, 3);
    }
    return copy(in, length);
}

static int copy_string(struct reader *in)
{
    int r = copy(in, 1);

    while (r == 0 && peek(in) != '"') {
        if (peek(in) < 0x20) /* a control byte, or the end */
            return -EBADMSG;
        r = peek(in) == '\\' ? copy_escape(in) : copy_text(in);
    }
    return r < 0 ? r : copy(in, 1);
}

static bool is_in_object(const struct reader *in)
{
    return in->is_object[in->depth / 8] >> in->depth % 8 & 1;
}

/* What may follow the end of a value depends on its container. */
static int end_value(struct reader *in, int r)
{
    in->state = WANT_COMMA_OR_END;
    return r;
}

static int open_container(struct reader *in, bool is_object)
{
    unsigned char bit;
    int r;

    if (in->depth == DEEPEST_NESTING)
        return -EBADMSG;
    r = in->depth == DEEPEST_KEPT ? put(in, "null", 4) : put(in, in->at, 1);
    in->at++;
    in->depth++;
    bit = (unsigned char)(1 << in->depth % 8);
    in->is_object[in->depth / 8] =
        (unsigned char)((in->is_object[in->depth / 8] & ~bit) | (is_object ? bit : 0));
    in->state = is_object ? WANT_NAME_OR_END : WANT_VALUE_OR_END;
    return r;
}

static int close_container(struct reader *in, bool is_object)
{
    int r;

    if (in->depth == 0 || is_in_object(in) != is_object || in->state == WANT_VALUE ||
        in->state == WANT_NAME || in->state == WANT_COLON)
        return -EBADMSG;
    r = put(in, in->at, 1);
    in->at++;
    in->depth--;
    return end_value(in, r);
}

static int copy_comma(struct reader *in)
{
    if (in->state != WANT_COMMA_OR_END)
        return -EBADMSG;
    in->state = is_in_object(in) ? WANT_NAME : WANT_VALUE;
    return copy(in, 1);
}

static int copy_name_or_colon(struct reader *in)
{
    if (in->state == WANT_COLON) {
        in->state = WANT_VALUE;
        return peek(in) == ':' ? copy(in, 1) : -EBADMSG;
    }
    in->state = WANT_COLON;
    return peek(in) == '"' ? copy_string(in) : -EBADMSG;
}

static int copy_value(struct reader *in)
{
    int c = peek(in);

    if (c == '{' || c == '[')
        return open_container(in, c == '{');
    if (c == '"')
        return end_value(in, copy_string(in));
    if (c == '-' || is_digit(c))
        return end_value(in, copy_short_number(in));
    return end_value(in, copy_literal(in));
}

static int copy_token(struct reader *in)
{
    int c = peek(in);

    if (c == '}' || c == ']')
        return close_container(in, c == '}');
    if (c == ',')
        return copy_comma(in);
    if (in->state == WANT_NAME || in->state == WANT_NAME_OR_END || in->state == WANT_COLON)
        return copy_name_or_colon(in);
    return in->state == WANT_COMMA_OR_END ? -EBADMSG : copy_value(in);
}

int json_guard(const void *text, size_t size, struct secbuf *ret_value)
{
    struct reader in = {.at = text, .end = text, .out = ret_value};
    int r;

    if (size)
        in.end += size;
    do {
        skip_space(&in);
        if (in.at == in.end)
            return -EBADMSG;
        r = copy_token(&in);
    } while (r == 0 && in.depth > 0);
    return r;
}
