#include "registry/jwt/key-names.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "registry/jwt/curve.h"

/* The longest number: the modulus of an RSA key. */
enum { NUMBER_MAX = JWT_RSA_BITS_MAX / 8, SHA256_SIZE = 32 };

static void free_datum(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
    datum->data = NULL;
}

/* A number of a key, in base64url. */
typedef char number_text[(NUMBER_MAX + 3) / 3 * 4 + 1];

/* Pads the number to size bytes, or removes leading zeros if size is 0. */
static int encode_number(const gnutls_datum_t *number, size_t size, number_text ret)
{
    unsigned char padded[NUMBER_MAX] = {0};
    const unsigned char *data = number->data;
    size_t used = number->size;

    for (; used > 0 && *data == 0; data++)
        used--;
    if (size == 0)
        size = used;
    if (size > sizeof(padded) || used > size)
        return -EINVAL;
    memcpy(padded + size - used, data, used);
    base64url_encode_bare(padded, size, ret);
    return 0;
}

/*
 * The members of RFC 7638 section 3.2, in the order of their names, without white space. NULL on
 * failure.
 */
static char *format_curve_members(gnutls_pubkey_t key)
{
    CLEANUP(free_datum) gnutls_datum_t x = {0}, y = {0};
    const struct jwt_curve *found;
    gnutls_ecc_curve_t curve;
    number_text x_text, y_text;
    char *text = NULL;
    int length;

    if (gnutls_pubkey_export_ecc_raw2(key, &curve, &x, &y, 0) < 0)
        return NULL;
    found = jwt_curve_find(curve);
    /* For Ed25519, x is the whole key: bytes, not a number. */
    if (!found || encode_number(&x, found->coordinate_size, x_text) < 0)
        return NULL;
    if (found->algorithm == JWT_EDDSA)
        length =
            asprintf(&text, "{\"crv\":\"%s\",\"kty\":\"OKP\",\"x\":\"%s\"}", found->name, x_text);
    else if (encode_number(&y, found->coordinate_size, y_text) == 0)
        length = asprintf(&text, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                          found->name, x_text, y_text);
    else
        length = -1;
    return length < 0 ? NULL : text;
}

static char *format_rsa_members(gnutls_pubkey_t key)
{
    CLEANUP(free_datum) gnutls_datum_t modulus = {0}, exponent = {0};
    number_text n, e;
    char *text = NULL;

    if (gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0) < 0 ||
        encode_number(&modulus, 0, n) < 0 || encode_number(&exponent, 0, e) < 0)
        return NULL;
    return asprintf(&text, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", e, n) < 0 ? NULL : text;
}

int key_names_thumbprint(gnutls_pubkey_t key, char ret_text[JWT_THUMBPRINT_SIZE])
{
    bool is_rsa = gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_RSA;
    CLEANUP_FREE char *members = is_rsa ? format_rsa_members(key) : format_curve_members(key);
    unsigned char digest[SHA256_SIZE];

    if (!members || gnutls_hash_fast(GNUTLS_DIG_SHA256, members, strlen(members), digest) < 0)
        return -ENOMEM;
    base64url_encode_bare(digest, sizeof(digest), ret_text);
    return 0;
}

/* 240 bits in base32, in groups of four. */
static void format_libtrust_id(const unsigned char digest[SHA256_SIZE],
                               char ret_text[JWT_LIBTRUST_ID_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *at = ret_text;

    for (unsigned i = 0; i < 240 / 5; i++) {
        unsigned bit = i * 5, both = (unsigned)digest[bit / 8] << 8 | digest[bit / 8 + 1];

        if (i > 0 && i % 4 == 0)
            *at++ = ':';
        *at++ = alphabet[both >> (11 - bit % 8) & 0x1F];
    }
    *at = '\0';
}

int key_names_libtrust_id(gnutls_pubkey_t key, char ret_text[JWT_LIBTRUST_ID_SIZE])
{
    CLEANUP(free_datum) gnutls_datum_t der = {0};
    unsigned char digest[SHA256_SIZE];

    if (gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) < 0 ||
        gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest) < 0)
        return -ENOMEM;
    format_libtrust_id(digest, ret_text);
    return 0;
}
