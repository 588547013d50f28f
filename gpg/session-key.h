#pragma once

#include "common/secbuf.h"
#include "gpg/message.h"

/* The key that a message is encrypted with. Wiped by session_key_done(). */
struct session_key {
    unsigned cipher;   /* as OpenPGP numbers them: SESSION_AES128 ... */
    struct secbuf key; /* as many bytes as the cipher needs */
};

enum { SESSION_AES128 = 7, SESSION_AES192 = 8, SESSION_AES256 = 9 };

/* The size of a cipher's key in bytes; 0 for an unsupported cipher. */
size_t session_cipher_key_size(unsigned cipher);

/*
 * Extracts the session key from gpg-agent's answer for an RSA key: the number, with PKCS #1 padding
 * (RFC 4880, section 13.1.1) unless has_padding is false, because a smartcard removed it. 0;
 * -EBADMSG; -ENOTSUP for another cipher; -ENOMEM.
 */
int session_key_from_rsa(const struct secbuf *value, bool has_padding,
                         struct session_key *ret) MUST_USE;

/*
 * The same for ECDH, from the shared point: the KDF of RFC 6637, section 7, with the key's
 * fingerprint, then the key unwrapping of RFC 3394.
 */
int session_key_from_ecdh(const struct secbuf *point, const struct public_key *key,
                          const unsigned char fingerprint[FINGERPRINT_SIZE],
                          const struct bytes *wrapped, struct session_key *ret) MUST_USE;

void session_key_done(struct session_key *key);
