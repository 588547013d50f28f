/*
 * The encrypted data of a message. It is decrypted completely, in secure memory, and checked
 * against its code or tags before any byte is used.
 */
#include "gpg/sealed.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "common/same-bytes.h"

enum {
    BLOCK_SIZE = 16,
    PREFIX_SIZE = BLOCK_SIZE + 2, /* random bytes, the last two of them twice */
    SHA1_SIZE = 20,
    MDC_SIZE = 2 + SHA1_SIZE, /* a packet of its own */
    MDC_HEAD = 0xC0 | PACKET_MDC,
    OCB_HEAD_SIZE = 4, /* version, cipher, mode, chunk size */
    OCB_NONCE_SIZE = 15,
    OCB_TAG_SIZE = 16,
    OCB_MODE = 2,
    OCB_LARGEST_CHUNK = 56, /* as a power of two less six; GnuPG reads no larger */
};

static void close_cipher(gcry_cipher_hd_t *cipher)
{
    gcry_cipher_close(*cipher);
}

static int open_cipher(const struct session_key *key, int mode, gcry_cipher_hd_t *ret)
{
    int algorithm = key->cipher == SESSION_AES128   ? GCRY_CIPHER_AES128
                    : key->cipher == SESSION_AES192 ? GCRY_CIPHER_AES192
                                                    : GCRY_CIPHER_AES256;

    if (gcry_cipher_open(ret, algorithm, mode, GCRY_CIPHER_SECURE))
        return -ENOMEM;
    return gcry_cipher_setkey(*ret, key->key.data, key->key.size) ? -EBADMSG : 0;
}

/* --- CFB and a modification detection code --------------------------------------------------- */

/* SHA-1 over all but its own 20 bytes. */
static int check_mdc(const unsigned char *text, size_t size)
{
    const unsigned char *mdc = text + size - MDC_SIZE;
    gcry_md_hd_t hash;
    bool is_good;

    if (gcry_md_open(&hash, GCRY_MD_SHA1, GCRY_MD_FLAG_SECURE))
        return -ENOMEM;
    gcry_md_write(hash, text, size - SHA1_SIZE);
    is_good = same_bytes(gcry_md_read(hash, GCRY_MD_SHA1), mdc + 2, SHA1_SIZE);
    gcry_md_close(hash);
    return is_good && mdc[0] == MDC_HEAD && mdc[1] == SHA1_SIZE ? 0 : -EBADMSG;
}

/* Keeps only the size bytes at data, which lie within the buffer, and wipes the rest. */
static void keep(struct secbuf *text, const unsigned char *data, size_t size)
{
    memmove(text->data, data, size);
    secbuf_truncate(text, size);
}

static int open_cfb(const struct session_key *key, struct secbuf *text)
{
    CLEANUP(close_cipher) gcry_cipher_hd_t cipher = NULL;
    unsigned char *data = text->data + 1;
    size_t size = text->size - 1;
    int r;

    if (text->data[0] != 1 || size < PREFIX_SIZE + MDC_SIZE)
        return -ENOTSUP;
    r = open_cipher(key, GCRY_CIPHER_MODE_CFB, &cipher);
    if (r < 0)
        return r;
    if (gcry_cipher_setiv(cipher, NULL, 0) || gcry_cipher_decrypt(cipher, data, size, NULL, 0))
        return -EBADMSG;
    if (!same_bytes(data + BLOCK_SIZE - 2, data + BLOCK_SIZE, 2))
        return -EBADMSG;
    r = check_mdc(data, size);
    if (r < 0)
        return r;
    keep(text, data + PREFIX_SIZE, size - PREFIX_SIZE - MDC_SIZE);
    return 0;
}

/* --- OCB ------------------------------------------------------------------------------------- */

struct ocb {
    gcry_cipher_hd_t cipher;
    const unsigned char *head, *nonce; /* of the packet */
    uint64_t chunk;                    /* its number */
};

static void write_64(unsigned char *at, uint64_t number)
{
    for (size_t i = 8; i-- > 0; number >>= 8)
        at[i] = (unsigned char)number;
}

/*
 * The nonce is the packet's, combined with the chunk's number. The number is authenticated too, and
 * in the last chunk the total size.
 */
static gcry_error_t begin_chunk(struct ocb *ocb, const uint64_t *total)
{
    unsigned char nonce[OCB_NONCE_SIZE], number[8], associated[1 + OCB_HEAD_SIZE + 16];
    gcry_error_t e;

    write_64(number, ocb->chunk);
    memcpy(nonce, ocb->nonce, sizeof(nonce));
    for (size_t i = 0; i < sizeof(number); i++)
        nonce[sizeof(nonce) - sizeof(number) + i] ^= number[i];
    associated[0] = 0xC0 | PACKET_SEALED_OCB;
    memcpy(associated + 1, ocb->head, OCB_HEAD_SIZE);
    memcpy(associated + 1 + OCB_HEAD_SIZE, number, sizeof(number));
    if (total)
        write_64(associated + 1 + OCB_HEAD_SIZE + sizeof(number), *total);
    e = gcry_cipher_setiv(ocb->cipher, nonce, sizeof(nonce));
    return e ? e
             : gcry_cipher_authenticate(ocb->cipher, associated,
                                        sizeof(associated) - (total ? 0 : 8));
}

/* Decrypts size bytes at data; the chunk's tag follows them. */
static gcry_error_t open_chunk(struct ocb *ocb, unsigned char *data, size_t size,
                               const uint64_t *total)
{
    gcry_error_t e = begin_chunk(ocb, total);

    if (!e)
        e = gcry_cipher_final(ocb->cipher);
    if (!e)
        e = gcry_cipher_decrypt(ocb->cipher, data, size, NULL, 0);
    if (!e)
        e = gcry_cipher_checktag(ocb->cipher, data + size, OCB_TAG_SIZE);
    ocb->chunk++;
    return e;
}

/* Decrypts the chunks at data, left bytes including all tags, and joins them. 0 or -EBADMSG. */
static int open_chunks(struct ocb *ocb, unsigned char *data, size_t left, uint64_t chunk_size,
                       uint64_t *ret_total)
{
    unsigned char *at = data, *end = data;

    while (left > 2 * OCB_TAG_SIZE) {
        size_t size = left - 2 * OCB_TAG_SIZE;

        if (size > chunk_size)
            size = (size_t)chunk_size;
        if (open_chunk(ocb, at, size, NULL))
            return -EBADMSG;
        memmove(end, at, size);
        end += size;
        at += size + OCB_TAG_SIZE;
        left -= size + OCB_TAG_SIZE;
    }
    *ret_total = (uint64_t)(end - data);
    return left != OCB_TAG_SIZE || open_chunk(ocb, at, 0, ret_total) ? -EBADMSG : 0;
}

static int open_ocb(const struct session_key *key, struct secbuf *text)
{
    CLEANUP(close_cipher) gcry_cipher_hd_t cipher = NULL;
    unsigned char *head = text->data, *nonce = head + OCB_HEAD_SIZE, *data = nonce + OCB_NONCE_SIZE;
    struct ocb ocb = {.head = head, .nonce = nonce};
    uint64_t total;
    int r;

    if (text->size < OCB_HEAD_SIZE + OCB_NONCE_SIZE + OCB_TAG_SIZE || head[0] != 1 ||
        head[1] != key->cipher || head[2] != OCB_MODE || head[3] > OCB_LARGEST_CHUNK)
        return -ENOTSUP;
    r = open_cipher(key, GCRY_CIPHER_MODE_OCB, &cipher);
    if (r < 0)
        return r;
    ocb.cipher = cipher;
    r = open_chunks(&ocb, data, text->size - OCB_HEAD_SIZE - OCB_NONCE_SIZE,
                    UINT64_C(1) << (head[3] + 6), &total);
    if (r == 0)
        keep(text, data, (size_t)total);
    return r;
}

int sealed_open(const struct packet *sealed, const struct session_key *key,
                struct secbuf *ret_content)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    int r;

    if (sealed->size == 0 || session_cipher_key_size(key->cipher) != key->key.size)
        return -EBADMSG;
    if (secbuf_reserve(&text, sealed->size) < 0)
        return -ENOMEM;
    packet_join(sealed, text.data);
    text.size = sealed->size;
    r = sealed->tag == PACKET_SEALED_MDC ? open_cfb(key, &text) : open_ocb(key, &text);
    if (r < 0)
        return r;
    *ret_content = text;
    text = (struct secbuf){0};
    return 0;
}
