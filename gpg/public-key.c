/*
 * The public part of encryption keys. Supports the kinds that gpg creates by default now or did in
 * recent years: RSA, and ECDH over Curve25519 and NIST's curves. Others are left to GPGME.
 */
#include "gpg/public-key.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { VERSION = 4, LARGEST_RSA_SIZE = 2048, SMALLEST_RSA_SIZE = 128 };

/* RFC 6637, section 11, and RFC 9580, section 9.2, for Curve25519. */
static const struct curve curves[] = {
    {{(const unsigned char *)"\x2B\x06\x01\x04\x01\x97\x55\x01\x05\x01", 10},
     "Curve25519",
     32,
     255},
    {{(const unsigned char *)"\x2A\x86\x48\xCE\x3D\x03\x01\x07", 8}, "NIST P-256", 32, 256},
    {{(const unsigned char *)"\x2B\x81\x04\x00\x22", 5}, "NIST P-384", 48, 384},
    {{(const unsigned char *)"\x2B\x81\x04\x00\x23", 5}, "NIST P-521", 66, 521},
};

static int take(struct bytes *in, size_t size, struct bytes *ret)
{
    if (size > in->size)
        return -EBADMSG;
    *ret = (struct bytes){in->data, size};
    in->data += size;
    in->size -= size;
    return 0;
}

/* A field whose length is its first byte. */
static int take_counted(struct bytes *in, struct bytes *ret)
{
    struct bytes count;
    int r = take(in, 1, &count);

    return r < 0 ? r : take(in, count.data[0], ret);
}

unsigned mpi_count_bits(const struct bytes *number)
{
    unsigned bits = (unsigned)number->size * 8;

    for (unsigned char top = number->size ? number->data[0] : 0xFF; !(top & 0x80);
         top = (unsigned char)(top << 1 | 1))
        bits--;
    return bits;
}

int mpi_read(struct bytes *in, struct bytes *ret)
{
    struct bytes rest = *in, count, number;
    unsigned bits;

    if (take(&rest, 2, &count) < 0)
        return -EBADMSG;
    bits = (unsigned)count.data[0] << 8 | count.data[1];
    if (take(&rest, (bits + 7) / 8, &number) < 0 || bits == 0 || mpi_count_bits(&number) != bits)
        return -EBADMSG;
    *in = rest;
    *ret = number;
    return 0;
}

static const struct curve *find_curve(const struct bytes *oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].oid.size == oid->size &&
            memcmp(curves[i].oid.data, oid->data, oid->size) == 0)
            return &curves[i];
    return NULL;
}

static int parse_rsa(struct bytes *in, struct public_key *key)
{
    if (mpi_read(in, &key->n) < 0 || mpi_read(in, &key->e) < 0)
        return -EBADMSG;
    return key->n.size < SMALLEST_RSA_SIZE || key->n.size > LARGEST_RSA_SIZE ? -ENOTSUP : 0;
}

/* Section 9 of RFC 6637: curve, point, and a field of three bytes: 1, hash, cipher. */
static int parse_ecdh(struct bytes *in, struct public_key *key)
{
    struct bytes oid, kdf;

    if (take_counted(in, &oid) < 0 || mpi_read(in, &key->point) < 0 || take_counted(in, &kdf) < 0)
        return -EBADMSG;
    key->curve = find_curve(&oid);
    if (!key->curve || kdf.size != 3 || kdf.data[0] != 1)
        return -ENOTSUP;
    key->kdf_hash = kdf.data[1];
    key->kdf_cipher = kdf.data[2];
    return 0;
}

int public_key_parse(const struct packet *packet, struct public_key *ret)
{
    struct public_key key = {.packet = {packet->body, packet->size}};
    struct bytes in = key.packet, head;
    int r;

    if (packet->is_partial || take(&in, 6, &head) < 0)
        return -EBADMSG;
    if (head.data[0] != VERSION)
        return -ENOTSUP;
    key.created_s = (uint32_t)head.data[1] << 24 | (uint32_t)head.data[2] << 16 |
                    (uint32_t)head.data[3] << 8 | head.data[4];
    key.algorithm = head.data[5];
    if (key.algorithm == PUBLIC_KEY_RSA)
        r = parse_rsa(&in, &key);
    else if (key.algorithm == PUBLIC_KEY_ECDH)
        r = parse_ecdh(&in, &key);
    else
        return -ENOTSUP;
    if (r < 0)
        return r;
    if (in.size != 0)
        return -EBADMSG;
    *ret = key;
    return 0;
}
