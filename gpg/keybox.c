/*
 * gpg's keyring file is a sequence of blobs. Each blob lists the fingerprints of its keys before
 * their packets, so a key is found without reading every packet.
 */
#include "gpg/keybox.h"

#include <errno.h>
#include <string.h>

enum {
    BLOB_HEAD_SIZE = 20, /* of a blob with keys: the part before the first key */
    LEAST_BLOB_SIZE = 5, /* length and type */
    BLOB_EMPTY = 0,
    BLOB_HEADER = 1,
    BLOB_OPENPGP = 2,
    FLAG_EPHEMERAL = 2, /* gpg passes over these */
    FLAG_LONG_FINGERPRINT = 0x80,
    MOST_KEYS = 64,
};

/* A blob with keys of OpenPGP, in the terms of this file. */
struct blob {
    const unsigned char *data;
    size_t size;
    size_t key_count, key_info_size;
};

static uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned read_16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint64_t read_64(const unsigned char *at)
{
    return (uint64_t)read_32(at) << 32 | read_32(at + 4);
}

/* The low half of a fingerprint of version 4 (RFC 4880, section 12.2). */
static uint64_t id_of_fingerprint(const unsigned char *fingerprint)
{
    return read_64(fingerprint + FINGERPRINT_SIZE - 8);
}

/* Reads the header of a blob that lies completely at data. */
static int open_blob(const unsigned char *data, size_t size, struct blob *ret)
{
    size_t info_size;

    if (size < BLOB_HEAD_SIZE)
        return -EBADMSG;
    info_size = read_16(data + 18);
    if (!(data[5] == 1 && info_size == 28) && !(data[5] == 2 && info_size == 56))
        return -EBADMSG;
    *ret = (struct blob){
        .data = data, .size = size, .key_count = read_16(data + 16), .key_info_size = info_size};
    if (ret->key_count == 0 || ret->key_count > MOST_KEYS ||
        BLOB_HEAD_SIZE + ret->key_count * info_size > size)
        return -EBADMSG;
    return 0;
}

static const unsigned char *key_info(const struct blob *blob, size_t number)
{
    return blob->data + BLOB_HEAD_SIZE + number * blob->key_info_size;
}

/* Whether the fingerprint is one of 20 bytes, to which a key id of RFC 4880 belongs. */
static bool is_version_4(const struct blob *blob, size_t number)
{
    return blob->data[5] == 1 || !(read_16(key_info(blob, number) + 32) & FLAG_LONG_FINGERPRINT);
}

/* The number of the blob's key with that id, or key_count. */
static size_t find_key(const struct blob *blob, uint64_t key_id)
{
    size_t i = 0;

    while (i < blob->key_count &&
           !(is_version_4(blob, i) && id_of_fingerprint(key_info(blob, i)) == key_id))
        i++;
    return i;
}

static bool is_key(const struct packet *packet)
{
    return packet->tag == PACKET_PUBLIC_KEY || packet->tag == PACKET_PUBLIC_SUBKEY;
}

/* Searches the packets of the blob for its number-th key and its first user id. */
static int read_packets(const struct blob *blob, size_t number, struct keybox_entry *entry)
{
    size_t begin = read_32(blob->data + 8), left = read_32(blob->data + 12), count = 0;
    const unsigned char *at = blob->data + begin;
    struct packet packet;
    int r;

    if (begin > blob->size || left > blob->size - begin)
        return -EBADMSG;
    while (left > 0 && (count <= number || !entry->user_id.data)) {
        r = packet_read(&at, &left, &packet);
        if (r < 0)
            return r;
        if (packet.tag == PACKET_USER_ID && !packet.is_partial && !entry->user_id.data)
            entry->user_id = (struct bytes){packet.body, packet.size};
        if (is_key(&packet) && count++ == number) {
            r = public_key_parse(&packet, &entry->key);
            if (r < 0)
                return r;
        }
    }
    return count > number ? 0 : -EBADMSG;
}

static int read_entry(const struct blob *blob, size_t number, struct keybox_entry *ret)
{
    struct keybox_entry entry = {
        .key_id = id_of_fingerprint(key_info(blob, number)),
        .primary_id = id_of_fingerprint(key_info(blob, 0)),
    };
    int r = read_packets(blob, number, &entry);

    memcpy(entry.fingerprint, key_info(blob, number), FINGERPRINT_SIZE);
    if (r == 0)
        *ret = entry;
    return r;
}

/* Searches one blob; *count is how often the id was found so far. */
static int search_blob(const unsigned char *data, size_t size, uint64_t key_id, unsigned *count,
                       struct keybox_entry *ret)
{
    struct blob blob;
    size_t number;
    int r;

    if (data[4] != BLOB_OPENPGP || (size >= 8 && read_16(data + 6) & FLAG_EPHEMERAL))
        return 0;
    r = open_blob(data, size, &blob);
    if (r < 0)
        return r;
    number = find_key(&blob, key_id);
    if (number == blob.key_count)
        return 0;
    return ++*count > 1 ? -ENOTUNIQ : read_entry(&blob, number, ret);
}

int keybox_find(const unsigned char *data, size_t size, uint64_t key_id, struct keybox_entry *ret)
{
    static const size_t header_size = 32;
    struct keybox_entry entry = {0};
    unsigned count = 0;

    if (size < header_size || data[4] != BLOB_HEADER || memcmp(data + 8, "KBXf", 4) != 0)
        return -EBADMSG;
    while (size > 0) {
        size_t blob_size = size < LEAST_BLOB_SIZE ? 0 : read_32(data);
        int r;

        if (blob_size < LEAST_BLOB_SIZE || blob_size > size)
            return -EBADMSG;
        r = search_blob(data, blob_size, key_id, &count, &entry);
        if (r < 0)
            return r;
        data += blob_size;
        size -= blob_size;
    }
    if (count == 0)
        return -ENOENT;
    *ret = entry;
    return 0;
}
