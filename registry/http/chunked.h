#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The chunked encoding of a body (RFC 9112 section 7.1), read strictly: lines end with CR LF, sizes
 * are hexadecimal digits and nothing else, extensions and trailers are read and ignored, and
 * bounded. Pure; one struct for one thread at a time.
 */
enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER, /* at the beginning of a line after the last chunk */
    CHUNKED_TRAILER_LINE,
    CHUNKED_TRAILER_LF,
    CHUNKED_END_LF,
    CHUNKED_END,
};

/* Zeroed at the beginning of a body. */
struct chunked {
    enum chunked_state state;
    uint64_t left;       /* of this chunk, in bytes */
    unsigned digits;     /* of its size, so far */
    unsigned overhead;   /* bytes of this line's extension, or of all trailers */
};

/* A piece of the body, in what was given to chunked_decode(). */
struct chunked_piece {
    const char *data;
    size_t size; /* 0: none */
};

/*
 * Reads from data up to the end of the first piece of the body in it. How many bytes were taken;
 * or -EBADMSG where the encoding is malformed, -EFBIG where a chunk is too large, -E2BIG where
 * extensions or trailers are too long. The body is over once chunked->state is CHUNKED_END.
 */
int64_t chunked_decode(struct chunked *chunked, const char *data, size_t size, struct chunked_piece *ret_piece);
