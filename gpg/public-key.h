#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gpg/packet.h"

enum public_key_algorithm { PUBLIC_KEY_RSA = 1, PUBLIC_KEY_ECDH = 18 };

enum { FINGERPRINT_SIZE = 20, KEYGRIP_SIZE = 20 };

/* Bytes that belong to someone else. */
struct bytes {
    const unsigned char *data;
    size_t size;
};

struct curve {
    struct bytes oid;       /* as in a key, without its length */
    const char *name;       /* libgcrypt's */
    size_t coordinate_size; /* in bytes */
    unsigned bits;          /* as gpg shows them */
};

/*
 * An encryption (sub)key of version 4 (RFC 4880, section 5.5.2; RFC 6637, section 9). It points
 * into the packet that it was read from.
 */
struct public_key {
    enum public_key_algorithm algorithm;
    uint32_t created_s;        /* since 1970 */
    struct bytes packet;       /* the body */
    struct bytes n, e;         /* RSA: big-endian, without leading zeros */
    const struct curve *curve; /* ECDH: the curve, */
    struct bytes point;        /* the public point, */
    unsigned kdf_hash;         /* the hash and the cipher of its KDF, in OpenPGP's numbers */
    unsigned kdf_cipher;
};

/* Reads the packet of a public (sub)key. 0; -ENOTSUP for unsupported kinds; -EBADMSG. Pure. */
int public_key_parse(const struct packet *packet, struct public_key *ret) MUST_USE;

/*
 * Reads a multiprecision integer (RFC 4880, section 3.2) at the start of *in and moves *in past it.
 * 0 or -EBADMSG.
 */
int mpi_read(struct bytes *in, struct bytes *ret) MUST_USE;

/* The number of bits in a big-endian number. */
unsigned mpi_count_bits(const struct bytes *number);
