/*
 * Unlike a keybox, a keyblock does not state the fingerprints of its keys, so each key is hashed.
 */
#include "gpg/keyblock.h"

#include <errno.h>
#include <string.h>

#include "gpg/keygrip.h"

enum { VERSION_4 = 4 };

static uint64_t id_of_fingerprint(const unsigned char fingerprint[FINGERPRINT_SIZE])
{
    uint64_t id = 0;

    for (size_t i = FINGERPRINT_SIZE - 8; i < FINGERPRINT_SIZE; i++)
        id = id << 8 | fingerprint[i];
    return id;
}

/* For every algorithm. -ENOTSUP for other versions, whose fingerprints have another form. */
static int read_fingerprint(const struct packet *packet, unsigned char ret[FINGERPRINT_SIZE])
{
    const struct public_key key = {.packet = {packet->body, packet->size}};

    if (packet->is_partial || packet->size == 0)
        return -EBADMSG;
    return packet->body[0] == VERSION_4 ? public_key_fingerprint(&key, ret) : -ENOTSUP;
}

/* The state of a walk through the packets. */
struct search {
    uint64_t key_id;
    unsigned key_count;
    bool is_found;
    struct keybox_entry entry;
};

static int take_key(struct search *search, const struct packet *packet)
{
    unsigned char fingerprint[FINGERPRINT_SIZE];
    bool is_primary = packet->tag == PACKET_PUBLIC_KEY;
    int r;

    if (is_primary != (search->key_count++ == 0)) /* one key, and before everything else */
        return -EBADMSG;
    r = read_fingerprint(packet, fingerprint);
    if (r < 0)
        return is_primary || r != -ENOTSUP ? r : 0;
    if (is_primary)
        search->entry.primary_id = id_of_fingerprint(fingerprint);
    if (id_of_fingerprint(fingerprint) != search->key_id)
        return 0;
    if (search->is_found)
        return -ENOTUNIQ;
    search->is_found = true;
    search->entry.key_id = search->key_id;
    memcpy(search->entry.fingerprint, fingerprint, FINGERPRINT_SIZE);
    return public_key_parse(packet, &search->entry.key);
}

int keyblock_find(const unsigned char *data, size_t size, uint64_t key_id, struct keybox_entry *ret)
{
    struct search search = {.key_id = key_id};
    struct packet packet;
    int r = size ? 0 : -EBADMSG;

    while (r == 0 && size > 0) {
        r = packet_read(&data, &size, &packet);
        if (r < 0)
            return r;
        if (packet.tag == PACKET_PUBLIC_KEY || packet.tag == PACKET_PUBLIC_SUBKEY)
            r = take_key(&search, &packet);
        else if (search.key_count == 0)
            r = -EBADMSG;
        else if (packet.tag == PACKET_USER_ID && !packet.is_partial && !search.entry.user_id.data)
            search.entry.user_id = (struct bytes){packet.body, packet.size};
    }
    if (r == 0 && !search.is_found)
        r = -ENOENT;
    if (r == 0)
        *ret = search.entry;
    return r;
}
