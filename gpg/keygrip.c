/* The two hashes that name a key: its fingerprint, and gpg-agent's keygrip. */
#include "gpg/keygrip.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdbool.h>
#include <string.h>

int public_key_fingerprint(const struct public_key *key, unsigned char ret[FINGERPRINT_SIZE])
{
    const unsigned char head[3] = {0x99, (unsigned char)(key->packet.size >> 8),
                                   (unsigned char)key->packet.size};
    gcry_buffer_t parts[2] = {
        {.len = sizeof(head), .data = (void *)head},
        {.len = key->packet.size, .data = (void *)key->packet.data},
    };

    if (key->packet.size > UINT16_MAX)
        return -EBADMSG;
    return gcry_md_hash_buffers(GCRY_MD_SHA1, 0, ret, parts, 2) ? -ENOMEM : 0;
}

/*
 * The number with a leading zero byte: otherwise a number with its top bit set would be read as
 * negative.
 */
static gcry_error_t build_rsa(const struct public_key *key, gcry_sexp_t *ret)
{
    unsigned char n[1 + 2048];

    if (key->n.size >= sizeof(n))
        return gcry_error(GPG_ERR_TOO_LARGE);
    n[0] = 0;
    memcpy(n + 1, key->n.data, key->n.size);
    return gcry_sexp_build(ret, NULL, "(public-key(rsa(n%b)(e%b)))", (int)key->n.size + 1, n,
                           (int)key->e.size, key->e.data);
}

static gcry_error_t build(const struct public_key *key, gcry_sexp_t *ret)
{
    if (key->algorithm == PUBLIC_KEY_RSA)
        return build_rsa(key, ret);
    return gcry_sexp_build(ret, NULL,
                           key->curve->bits == 255
                               ? "(public-key(ecc(curve %s)(flags djb-tweak)(q%b)))"
                               : "(public-key(ecc(curve %s)(q%b)))",
                           key->curve->name, (int)key->point.size, key->point.data);
}

int public_key_keygrip(const struct public_key *key, unsigned char ret[KEYGRIP_SIZE])
{
    gcry_sexp_t expression = NULL;
    bool is_done = build(key, &expression) == 0 && gcry_pk_get_keygrip(expression, ret) != NULL;

    gcry_sexp_release(expression);
    return is_done ? 0 : -EBADMSG;
}
