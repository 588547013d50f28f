#include "registry/http/chunked.h"

#include <errno.h>

enum { DIGITS_MAX = 16, EXTENSION_MAX = 1024, TRAILERS_MAX = 8 << 10 };

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int add_digit(struct chunked *chunked, char c)
{
    int digit = digit_of(c);

    if (digit < 0)
        return -EBADMSG;
    if (chunked->digits == DIGITS_MAX || chunked->left > (uint64_t)INT64_MAX >> 4)
        return -EFBIG;
    chunked->digits++;
    chunked->left = chunked->left << 4 | (uint64_t)digit;
    return 0;
}

static int read_size(struct chunked *chunked, char c)
{
    if (chunked->digits > 0 && c == ';')
        chunked->state = CHUNKED_EXTENSION;
    else if (chunked->digits > 0 && c == '\r')
        chunked->state = CHUNKED_SIZE_LF;
    else
        return add_digit(chunked, c);
    return 0;
}

/* Skips a byte of an extension or a trailer, up to most bytes. */
static int skip(struct chunked *chunked, char c, unsigned most)
{
    if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
        return -EBADMSG;
    return ++chunked->overhead <= most ? 0 : -E2BIG;
}

static int read_extension(struct chunked *chunked, char c)
{
    if (c != '\r')
        return skip(chunked, c, EXTENSION_MAX);
    chunked->state = CHUNKED_SIZE_LF;
    return 0;
}

static int read_trailer(struct chunked *chunked, char c, enum chunked_state at_end)
{
    if (c == '\r') {
        chunked->state = at_end;
        return 0;
    }
    chunked->state = CHUNKED_TRAILER_LINE;
    return skip(chunked, c, TRAILERS_MAX);
}

static int expect(struct chunked *chunked, char c, char expected, enum chunked_state next)
{
    if (c != expected)
        return -EBADMSG;
    chunked->state = next;
    return 0;
}

static int end_size_line(struct chunked *chunked, char c)
{
    enum chunked_state next = chunked->left ? CHUNKED_DATA : CHUNKED_TRAILER;

    chunked->digits = chunked->overhead = 0;
    return expect(chunked, c, '\n', next);
}

/* Processes one byte that does not belong to the body. */
static int take(struct chunked *chunked, char c)
{
    switch (chunked->state) {
    case CHUNKED_SIZE:
        return read_size(chunked, c);
    case CHUNKED_EXTENSION:
        return read_extension(chunked, c);
    case CHUNKED_SIZE_LF:
        return end_size_line(chunked, c);
    case CHUNKED_DATA_CR:
        return expect(chunked, c, '\r', CHUNKED_DATA_LF);
    case CHUNKED_DATA_LF:
        return expect(chunked, c, '\n', CHUNKED_SIZE);
    case CHUNKED_TRAILER:
        return read_trailer(chunked, c, CHUNKED_END_LF);
    case CHUNKED_TRAILER_LINE:
        return read_trailer(chunked, c, CHUNKED_TRAILER_LF);
    case CHUNKED_TRAILER_LF:
        return expect(chunked, c, '\n', CHUNKED_TRAILER);
    case CHUNKED_END_LF:
        return expect(chunked, c, '\n', CHUNKED_END);
    default:
        return -EBADMSG;
    }
}

int64_t chunked_decode(struct chunked *chunked, const char *data, size_t size,
                       struct chunked_piece *ret_piece)
{
    size_t at = 0;
    int r = 0;

    *ret_piece = (struct chunked_piece){0};
    while (at < size && chunked->state != CHUNKED_DATA && chunked->state != CHUNKED_END) {
        r = take(chunked, data[at]);
        if (r < 0)
            return r;
        at++;
    }
    if (chunked->state == CHUNKED_DATA && at < size) {
        size_t piece = size - at < chunked->left ? size - at : (size_t)chunked->left;

        *ret_piece = (struct chunked_piece){.data = data + at, .size = piece};
        chunked->left -= piece;
        if (chunked->left == 0)
            chunked->state = CHUNKED_DATA_CR;
        at += piece;
    }
    return (int64_t)at;
}
