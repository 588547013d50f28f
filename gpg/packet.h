#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/* The supported tags of RFC 4880, section 4.3, and GnuPG's tag 20. */
enum packet_tag {
    PACKET_SESSION_KEY = 1, /* for one recipient */
    PACKET_PUBLIC_KEY = 6,
    PACKET_LITERAL = 11,
    PACKET_USER_ID = 13,
    PACKET_PUBLIC_SUBKEY = 14,
    PACKET_SEALED_MDC = 18, /* symmetrically encrypted, with a modification detection code */
    PACKET_MDC = 19,
    /* symmetrically encrypted, with authentication (RFC 4880bis, draft 5) */
    PACKET_SEALED_OCB = 20,
};

/* One packet within the caller's bytes, which must outlive it. */
struct packet {
    unsigned tag;
    const unsigned char *body; /* its first byte; where is_partial, of the first piece */
    size_t size;               /* of the body, without the lengths between its pieces */
    bool is_partial;           /* the body comes in pieces: packet_join() puts them together */
};

/*
 * Reads the packet at *at and moves *at past it; *left is the number of remaining bytes. Supports
 * both formats of lengths, and partial lengths (RFC 4880, section 4.2.2.4). 0; or -EBADMSG if the
 * packet is truncated or invalid, or if its length is indeterminate (only compressed data has
 * that). Pure.
 */
int packet_read(const unsigned char **at, size_t *left, struct packet *ret) MUST_USE;

/*
 * Copies the body, packet->size bytes, to ret. ret may lie within the packet's own bytes, at the
 * body or before it.
 */
void packet_join(const struct packet *packet, unsigned char *ret);
