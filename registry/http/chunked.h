#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the chunked encoding of a body (RFC 9112 section 7.1) strictly: lines end with CR LF,
 * sizes are hexadecimal digits only, extensions and trailers are ignored and their length is
 * bounded. Pure; one thread at a time uses a struct.
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

/* Initialize it with zeros for each body. */
struct chunked {
    enum chunked_state state;
    uint64_t left;       /* of this chunk, in bytes */
    unsigned digits;     /* of its size, so far */
    unsigned overhead;   /* bytes of this line's extension, or of all trailers */
};

/* A piece of the body; it points into the data that was passed to chunked_decode(). */
struct chunked_piece {
    const char *data;
    size_t size; /* 0: none */
};

/*
 * Decodes data up to the end of the first piece of the body in it. Returns how many bytes were
 * consumed, -EBADMSG if the encoding is malformed, -EFBIG if a chunk is too large, or -E2BIG if
 * extensions or trailers are too long. The body has ended when chunked->state is CHUNKED_END.
 */
int64_t chunked_decode(struct chunked *chunked, const char *data, size_t size,
                       struct chunked_piece *ret_piece);
