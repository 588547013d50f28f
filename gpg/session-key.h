#pragma once

#include "common/secbuf.h"
#include "gpg/message.h"

/* The key that a message is sealed with. Wiped by session_key_done(). */
struct session_key {
    unsigned cipher;   /* as OpenPGP numbers them: SESSION_AES128 ... */
    struct secbuf key; /* as many bytes as the cipher takes */
};

enum { SESSION_AES128 = 7, SESSION_AES192 = 8, SESSION_AES256 = 9 };

/* The size of a cipher's key in bytes; 0 for a cipher that is not one of ours. */
size_t session_cipher_key_size(unsigned cipher);

/*
 * From what gpg-agent answers for an RSA key (the number, with PKCS #1 padding as in RFC 4880, section 13.1.1, unless
 * has_padding is false: a smartcard took it off) to the session key. 0; -EBADMSG; -ENOTSUP: of another cipher; -ENOMEM.
 */
int session_key_from_rsa(const struct secbuf *value, bool has_padding, struct session_key *ret) MUST_USE;

/*
 * The same for ECDH: the shared point, then the KDF of RFC 6637, section 7, with the key's fingerprint, and RFC 3394's key
 * unwrapping.
 */
int session_key_from_ecdh(const struct secbuf *point, const struct public_key *key,
                          const unsigned char fingerprint[FINGERPRINT_SIZE], const struct bytes *wrapped,
                          struct session_key *ret) MUST_USE;

void session_key_done(struct session_key *key);
