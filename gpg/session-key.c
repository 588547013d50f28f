/*
 * The last step of public-key decryption: gpg-agent does the part that needs the secret key; the
 * session key in its answer is still wrapped or padded.
 */
#include "gpg/session-key.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

enum { CHECKSUM_SIZE = 2, KDF_PARAMETERS_SIZE = 80, LARGEST_WRAPPED = 64, WRAP_BLOCK = 8 };

size_t session_cipher_key_size(unsigned cipher)
{
    return cipher == SESSION_AES128   ? 16
           : cipher == SESSION_AES192 ? 24
           : cipher == SESSION_AES256 ? 32
                                      : 0;
}

void session_key_done(struct session_key *key)
{
    secbuf_done(&key->key);
}

/* Cipher, key, and the sum of the key's bytes (RFC 4880, section 5.1). */
static int take_frame(const unsigned char *frame, size_t size, struct session_key *ret)
{
    size_t key_size = size ? session_cipher_key_size(frame[0]) : 0;
    unsigned sum = 0;

    if (key_size == 0)
        return -ENOTSUP;
    if (size != 1 + key_size + CHECKSUM_SIZE)
        return -EBADMSG;
    for (size_t i = 1; i <= key_size; i++)
        sum += frame[i];
    if ((sum & 0xFFFF) != ((unsigned)frame[size - 2] << 8 | frame[size - 1]))
        return -EBADMSG;
    ret->cipher = frame[0];
    return secbuf_append(&ret->key, frame + 1, key_size);
}

int session_key_from_rsa(const struct secbuf *value, bool has_padding, struct session_key *ret)
{
    const unsigned char *at = value->data, *end = at + value->size, *zero;

    if (!has_padding)
        return take_frame(at, value->size, ret);
    /* a number has no leading zero, but cards answer as PKCS #1 writes it */
    if (at < end && *at == 0)
        at++;
    if (at == end || *at != 2)
        return -EBADMSG;
    zero = memchr(at, 0, (size_t)(end - at));
    return zero && zero - at > 8 ? take_frame(zero + 1, (size_t)(end - zero - 1), ret) : -EBADMSG;
}

/* --- ECDH ------------------------------------------------------------------------------------ */

/* The x coordinate of the shared point: 0x40 and x for Curve25519, 4, x and y for the others. */
static int find_x(const struct secbuf *point, const struct curve *curve, struct bytes *ret)
{
    bool is_native = curve->bits == 255;

    if (point->size != 1 + curve->coordinate_size * (is_native ? 1 : 2) ||
        point->data[0] != (is_native ? 0x40 : 4))
        return -EBADMSG;
    *ret = (struct bytes){point->data + 1, curve->coordinate_size};
    return 0;
}

static void add(unsigned char *text, size_t *size, const void *data, size_t data_size)
{
    memcpy(text + *size, data, data_size);
    *size += data_size;
}

/* The Param of RFC 6637, section 8. */
static size_t format_parameters(const struct public_key *key,
                                const unsigned char fingerprint[FINGERPRINT_SIZE],
                                unsigned char ret[KDF_PARAMETERS_SIZE])
{
    const unsigned char oid_size = (unsigned char)key->curve->oid.size;
    const unsigned char kdf[] = {PUBLIC_KEY_ECDH, 3, 1, (unsigned char)key->kdf_hash,
                                 (unsigned char)key->kdf_cipher};
    size_t size = 0;

    add(ret, &size, &oid_size, 1);
    add(ret, &size, key->curve->oid.data, oid_size);
    add(ret, &size, kdf, sizeof(kdf));
    add(ret, &size, "Anonymous Sender    ", 20);
    add(ret, &size, fingerprint, FINGERPRINT_SIZE);
    return size;
}

/* libgcrypt's number for a hash of OpenPGP; only those that the RFC allows in a KDF. */
static int hash_algorithm(unsigned openpgp)
{
    return openpgp == 8    ? GCRY_MD_SHA256
           : openpgp == 9  ? GCRY_MD_SHA384
           : openpgp == 10 ? GCRY_MD_SHA512
                           : 0;
}

/* The key encryption key: the first bytes of hash(00000001 || x || Param). */
static int derive(const struct bytes *x, const struct public_key *key,
                  const unsigned char fingerprint[FINGERPRINT_SIZE], struct secbuf *ret_kek)
{
    unsigned char parameters[KDF_PARAMETERS_SIZE];
    int algorithm = hash_algorithm(key->kdf_hash);
    size_t size = session_cipher_key_size(key->kdf_cipher);
    gcry_md_hd_t hash;
    int r;

    if (!algorithm || !size || gcry_md_get_algo_dlen(algorithm) < size)
        return -ENOTSUP;
    if (gcry_md_open(&hash, algorithm, GCRY_MD_FLAG_SECURE))
        return -ENOMEM;
    gcry_md_write(hash, "\0\0\0\1", 4);
    gcry_md_write(hash, x->data, x->size);
    gcry_md_write(hash, parameters, format_parameters(key, fingerprint, parameters));
    r = secbuf_append(ret_kek, gcry_md_read(hash, algorithm), size);
    gcry_md_close(hash);
    return r;
}

static int unwrap(const struct secbuf *kek, const struct bytes *wrapped, struct secbuf *ret_frame)
{
    int algorithm = kek->size == 16   ? GCRY_CIPHER_AES128
                    : kek->size == 24 ? GCRY_CIPHER_AES192
                                      : GCRY_CIPHER_AES256;
    gcry_cipher_hd_t cipher;
    gcry_error_t e;

    if (wrapped->size < 3 * WRAP_BLOCK || wrapped->size > LARGEST_WRAPPED ||
        wrapped->size % WRAP_BLOCK != 0)
        return -EBADMSG;
    if (secbuf_reserve(ret_frame, wrapped->size) < 0 ||
        gcry_cipher_open(&cipher, algorithm, GCRY_CIPHER_MODE_AESWRAP, GCRY_CIPHER_SECURE))
        return -ENOMEM;
    e = gcry_cipher_setkey(cipher, kek->data, kek->size);
    if (!e)
        e = gcry_cipher_decrypt(cipher, ret_frame->data, wrapped->size - WRAP_BLOCK, wrapped->data,
                                wrapped->size);
    gcry_cipher_close(cipher);
    if (e)
        return -EBADMSG;
    ret_frame->size = wrapped->size - WRAP_BLOCK;
    return 0;
}

/* PKCS #5: each byte of the padding is the length of the padding (RFC 6637, section 8). */
static int take_padded_frame(const struct secbuf *frame, struct session_key *ret)
{
    unsigned char padding = frame->data[frame->size - 1];

    if (padding == 0 || padding >= frame->size)
        return -EBADMSG;
    for (size_t i = frame->size - padding; i < frame->size; i++)
        if (frame->data[i] != padding)
            return -EBADMSG;
    return take_frame(frame->data, frame->size - padding, ret);
}

int session_key_from_ecdh(const struct secbuf *point, const struct public_key *key,
                          const unsigned char fingerprint[FINGERPRINT_SIZE],
                          const struct bytes *wrapped, struct session_key *ret)
{
    CLEANUP(secbuf_done) struct secbuf kek = {0}, frame = {0};
    struct bytes x;
    int r = find_x(point, key->curve, &x);

    if (r == 0)
        r = derive(&x, key, fingerprint, &kek);
    if (r == 0)
        r = unwrap(&kek, wrapped, &frame);
    return r < 0 ? r : take_padded_frame(&frame, ret);
}
