#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/* The tags of RFC 4880, section 4.3, that are of use here; and 20, which GnuPG adds. */
enum packet_tag {
    PACKET_SESSION_KEY = 1,  /* for one recipient */
    PACKET_PUBLIC_KEY = 6,
    PACKET_LITERAL = 11,
    PACKET_USER_ID = 13,
    PACKET_PUBLIC_SUBKEY = 14,
    PACKET_SEALED_MDC = 18,  /* symmetrically encrypted, with a modification detection code */
    PACKET_MDC = 19,
    PACKET_SEALED_OCB = 20,  /* symmetrically encrypted, with authentication (RFC 4880bis, draft 5) */
};

/* One packet within bytes of the caller's, which must outlive it. */
struct packet {
    unsigned tag;
    const unsigned char *body; /* its first byte; where is_partial, of the first piece */
    size_t size;               /* of the body, without the lengths between its pieces */
    bool is_partial;           /* the body comes in pieces: packet_join() puts them together */
};

/*
 * Reads the packet at *at and moves *at behind it; *left are the bytes from *at on. Both formats of lengths, and partial
 * lengths as RFC 4880, section 4.2.2.4 has them. 0; or -EBADMSG for what is cut short or no packet, and
 * for a length that runs to the end of the file (nobody writes those but for compressed data). Pure.
 */
int packet_read(const unsigned char **at, size_t *left, struct packet *ret) MUST_USE;

/* Copies the body, all packet->size bytes of it, to ret; which may lie in the packet's own bytes, at its body or before. */
void packet_join(const struct packet *packet, unsigned char *ret);
