#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The framing of HTTP/1 requests (RFC 9112): where each head, chunk and body ends. It takes only what every reader must
 * take in the same way, so that no proxy before us can see one request where we see two. It keeps no bytes and does not
 * block: the owner shows it each piece as it arrives.
 */

enum {
    /*
     * The longest head, including what a reader needs for each header, argument and cookie (FRAMING_ITEM_COST bytes;
     * the bytes of a cookie count twice). It fits into the 16 KiB that libmicrohttpd has for a connection.
     */
    FRAMING_HEAD_MAX = 12 << 10,
    FRAMING_ITEM_COST = 64,
};

enum framing_state {
    FRAMING_START, /* before a request */
    FRAMING_METHOD,
    FRAMING_TARGET,
    FRAMING_VERSION,
    FRAMING_LINE, /* before a header, or the empty line that ends the head or the trailer */
    FRAMING_NAME,
    FRAMING_VALUE,
    FRAMING_BODY,
    FRAMING_CHUNK_SIZE,
    FRAMING_CHUNK_EXTENSION,
    FRAMING_CHUNK,
    FRAMING_CHUNK_END,
    FRAMING_REFUSED, /* the request is to be refused; nothing after it counts */
};

/* Why a request is refused, and with which HTTP status. */
struct framing_flaw {
    unsigned status;
    const char *message;
};

/* {0} is the start of a connection. Read flaw, state, is_head_method and target; the rest is private. */
struct framing {
    enum framing_state state;
    const struct framing_flaw *flaw; /* NULL: none so far; refuse in FRAMING_REFUSED, where the head has ended */
    bool is_head_method;             /* the method is HEAD, so that an answer has no body */
    char *target;                    /* of a flawed request, if known; owned, see framing_done() */

    bool is_after_cr, is_trailer, is_1_0;
    unsigned cost, empty_lines;
    unsigned hosts, authorizations, lengths, encodings;
    int field;        /* what the current header is */
    char text[24];    /* the method, version, header name or value that is being read, as far as it matters */
    size_t text_size; /* of all of it */
    uint64_t length;  /* Content-Length, then what is left of the body or chunk */
    unsigned digits;  /* of a chunk's size */
};

/*
 * Reads the next piece. Returns how many bytes may be passed on, which then stand at the start of data: all of them
 * except chunk extensions, or, once there is a flaw, those before the flawed head, chunk or trailer.
 */
size_t framing_take(struct framing *framing, char *data, size_t size);

void framing_done(struct framing *framing);
