/*
 * The framing of OpenPGP: a tag, a length in one of two formats, a body. All untrusted input passes
 * through it first, so every length is checked against the remaining bytes.
 */
#include "gpg/packet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* RFC 4880: the first part has at least 512 bytes. */
enum { LEAST_FIRST_PIECE = 512 };

/* The bytes of a length in big-endian order. */
static size_t read_number(const unsigned char *at, size_t count)
{
    size_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number << 8 | at[i];
    return number;
}

/*
 * Reads a length in the new format (section 4.2.2) at *at and moves *at past it. 0 or -EBADMSG.
 */
static int read_new_length(const unsigned char **at, size_t *left, size_t *ret_length,
                           bool *ret_is_partial)
{
    unsigned char first;
    size_t count;

    if (*left == 0)
        return -EBADMSG;
    first = **at;
    *ret_is_partial = first >= 224 && first < 255;
    count = first < 192 || *ret_is_partial ? 1 : first < 224 ? 2 : 5;
    if (*left < count)
        return -EBADMSG;
    if (first < 192)
        *ret_length = first;
    else if (*ret_is_partial)
        *ret_length = (size_t)1 << (first & 0x1F);
    else if (first < 224)
        *ret_length = ((size_t)(first - 192) << 8) + (*at)[1] + 192;
    else
        *ret_length = read_number(*at + 1, 4);
    *at += count;
    *left -= count;
    return *ret_length > *left ? -EBADMSG : 0;
}

/* The old format (section 4.2.1): the tag's byte says how many bytes the length has. */
static int read_old_length(unsigned char tag_byte, const unsigned char **at, size_t *left,
                           size_t *ret_length)
{
    size_t count = (size_t)1 << (tag_byte & 3);

    if (count > 4 || *left < count)
        return -EBADMSG;
    *ret_length = read_number(*at, count);
    *at += count;
    *left -= count;
    return *ret_length > *left ? -EBADMSG : 0;
}

static void skip(const unsigned char **at, size_t *left, size_t count)
{
    *at += count;
    *left -= count;
}

/* Reads the partial lengths after the first. The last part has an ordinary length. */
static int read_pieces(const unsigned char **at, size_t *left, struct packet *packet)
{
    bool is_partial = true;
    size_t length;

    if (packet->size < LEAST_FIRST_PIECE)
        return -EBADMSG;
    while (is_partial) {
        int r = read_new_length(at, left, &length, &is_partial);

        if (r < 0)
            return r;
        skip(at, left, length);
        packet->size += length;
    }
    return 0;
}

int packet_read(const unsigned char **at, size_t *left, struct packet *ret)
{
    struct packet packet = {0};
    const unsigned char *end = *at;
    size_t rest = *left;
    unsigned char first;
    int r;

    if (rest == 0 || !(*end & 0x80))
        return -EBADMSG;
    first = *end;
    skip(&end, &rest, 1);
    packet.tag = first & 0x40 ? first & 0x3F : first >> 2 & 0x0F;
    if (first & 0x40)
        r = read_new_length(&end, &rest, &packet.size, &packet.is_partial);
    else
        r = read_old_length(first, &end, &rest, &packet.size);
    if (r < 0)
        return r;
    packet.body = end;
    skip(&end, &rest, packet.size);
    r = packet.is_partial ? read_pieces(&end, &rest, &packet) : 0;
    if (r < 0)
        return r;
    *at = end;
    *left = rest;
    *ret = packet;
    return 0;
}

void packet_join(const struct packet *packet, unsigned char *ret)
{
    const unsigned char *at = packet->body;
    /* packet_read() has seen that all of it is there */
    size_t length = packet->size, left = SIZE_MAX;
    bool is_partial = packet->is_partial;

    if (is_partial) /* the first length stands right before the body */
        length = (size_t)1 << (at[-1] & 0x1F);
    for (;;) {
        memmove(ret, at, length);
        ret += length;
        at += length;
        if (!is_partial || read_new_length(&at, &left, &length, &is_partial) < 0)
            break;
    }
}
