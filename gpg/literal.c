/*
 * The innermost packet: the secret itself, behind a file name and a date.
 */
#include "gpg/literal.h"

#include <errno.h>
#include <string.h>

#include "gpg/packet.h"

enum { DATE_SIZE = 4 };

/*
 * The file name "_CONSOLE", with which gpg writes the content only to the terminal (RFC 4880,
 * section 5.9).
 */
static bool is_for_eyes_only(const unsigned char *name, size_t size)
{
    static const char console[] = "_CONSOLE";

    return size == strlen(console) && memcmp(name, console, size) == 0;
}

int literal_append(struct secbuf *content, size_t limit, struct secbuf *ret)
{
    const unsigned char *at = content->data;
    unsigned char *body;
    size_t left = content->size, head_size;
    struct packet packet;
    int r = packet_read(&at, &left, &packet);

    if (r < 0)
        return r;
    if (packet.tag != PACKET_LITERAL || left != 0)
        return -ENOTSUP;
    if (packet.size < 2 || packet.body[0] != 'b')
        return packet.size < 2 ? -EBADMSG : -ENOTSUP;
    body = content->data + (packet.body - content->data);
    packet_join(&packet, body);
    head_size = 2 + (size_t)body[1] + DATE_SIZE;
    if (head_size > packet.size)
        return -EBADMSG;
    if (is_for_eyes_only(body + 2, body[1]))
        return -ENOTSUP;
    if (packet.size - head_size > limit)
        return -EFBIG;
    return secbuf_append(ret, body + head_size, packet.size - head_size);
}
