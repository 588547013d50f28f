/*
 * The one form of message that pass, gopass, Docker's helper and this program write. Every other
 * message is left to gpg.
 */
#include "gpg/message.h"

#include <errno.h>

enum { VERSION = 3, HEAD_SIZE = 10, ALGORITHM = 9 };

static uint64_t read_64(const unsigned char *at)
{
    uint64_t number = 0;

    for (size_t i = 0; i < 8; i++)
        number = number << 8 | at[i];
    return number;
}

/* What follows the algorithm. 0, or -EBADMSG. */
static int parse_numbers(struct bytes in, struct session_packet *ret)
{
    int r = mpi_read(&in, &ret->number);

    if (r < 0 || ret->algorithm == PUBLIC_KEY_RSA)
        return r < 0 || in.size != 0 ? -EBADMSG : 0;
    if (in.size == 0 || in.data[0] != in.size - 1)
        return -EBADMSG;
    ret->counted = in;
    return 0;
}

/* Adds the packet's session key to the message, unless its algorithm is not supported. */
static int add_key(struct message *message, const struct packet *packet)
{
    const unsigned char *body = packet->body;
    struct session_packet key;
    int r;

    if (packet->is_partial || packet->size < HEAD_SIZE)
        return -EBADMSG;
    if (body[0] != VERSION || message->key_count == MESSAGE_MOST_KEYS)
        return -ENOTSUP;
    key = (struct session_packet){.key_id = read_64(body + 1), .algorithm = body[ALGORITHM]};
    if (key.key_id == 0) /* only trying can tell whose it is */
        return -ENOTSUP;
    if (key.algorithm != PUBLIC_KEY_RSA && key.algorithm != PUBLIC_KEY_ECDH)
        return 0;
    r = parse_numbers((struct bytes){body + HEAD_SIZE, packet->size - HEAD_SIZE}, &key);
    if (r == 0)
        message->keys[message->key_count++] = key;
    return r;
}

int message_parse(const unsigned char *data, size_t size, struct message *ret)
{
    struct packet packet;
    int r;

    ret->key_count = 0;
    for (;;) {
        r = packet_read(&data, &size, &packet);
        if (r < 0)
            return r;
        if (packet.tag != PACKET_SESSION_KEY)
            break;
        r = add_key(ret, &packet);
        if (r < 0)
            return r;
    }
    if ((packet.tag != PACKET_SEALED_MDC && packet.tag != PACKET_SEALED_OCB) ||
        ret->key_count == 0 || size != 0)
        return -ENOTSUP;
    ret->sealed = packet;
    return 0;
}
