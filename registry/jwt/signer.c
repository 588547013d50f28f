#include "registry/jwt/signer.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"

enum { HALF = 32, SIGNATURE_SIZE = 2 * HALF, HEADER_MAX = 200 };

struct jwt_signer {
    gnutls_privkey_t key;
    enum jwt_algorithm algorithm;
    char id[JWT_THUMBPRINT_SIZE];
};

void jwt_signer_free(struct jwt_signer *signer)
{
    if (!signer)
        return;
    if (signer->key)
        gnutls_privkey_deinit(signer->key);
    free(signer);
}

void jwt_signer_freep(struct jwt_signer **signer)
{
    jwt_signer_free(*signer);
}

const char *jwt_signer_get_id(const struct jwt_signer *signer)
{
    return signer->id;
}

/* Wipes and frees memory that GnuTLS allocated. */
static void wipe_datum(gnutls_datum_t *datum)
{
    if (datum->data)
        explicit_bzero(datum->data, datum->size);
    gnutls_free(datum->data);
}

/* --- keys ------------------------------------------------------------------------------- */

static int find_algorithm(gnutls_privkey_t key, enum jwt_algorithm *ret)
{
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

    if (gnutls_privkey_export_ecc_raw2(key, &curve, NULL, NULL, NULL, 0) < 0)
        return -ENOTSUP;
    if (curve != GNUTLS_ECC_CURVE_SECP256R1 && curve != GNUTLS_ECC_CURVE_ED25519)
        return -ENOTSUP;
    *ret = curve == GNUTLS_ECC_CURVE_ED25519 ? JWT_EDDSA : JWT_ES256;
    return 0;
}

static int make_public(const struct jwt_signer *signer, const char *kid, struct jwt_key **ret)
{
    gnutls_pubkey_t public_key;
    const char *why = NULL;
    int r;

    if (gnutls_pubkey_init(&public_key) < 0)
        return -ENOMEM;
    if (gnutls_pubkey_import_privkey(public_key, signer->key, 0, 0) < 0) {
        gnutls_pubkey_deinit(public_key);
        return -ENOMEM;
    }
    r = jwt_key_from_gnutls(public_key, kid, ret, &why);
    return r > 0 ? -ENOMEM : r; /* find_algorithm() has checked that it is usable */
}

int jwt_signer_get_key(const struct jwt_signer *signer, struct jwt_key **ret)
{
    return make_public(signer, signer->id, ret);
}

/* Finds the key's algorithm and its name. */
static int finish_signer(struct jwt_signer *signer, struct error *err)
{
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;

    if (find_algorithm(signer->key, &signer->algorithm) < 0)
        return error_set(err, EINVAL,
                         "the private key is not of a supported type: Ed25519 or P-256");
    if (make_public(signer, NULL, &key) < 0)
        return error_set_oom(err);
    snprintf(signer->id, sizeof(signer->id), "%s", jwt_key_get_thumbprint(key));
    return 0;
}

static int new_signer(struct jwt_signer **ret, struct error *err)
{
    CLEANUP(jwt_signer_freep) struct jwt_signer *signer = calloc(1, sizeof(*signer));

    if (!signer || gnutls_privkey_init(&signer->key) < 0)
        return error_set_oom(err);
    *ret = steal_ptr(&signer);
    return 0;
}

int jwt_signer_generate(enum jwt_algorithm algorithm, struct jwt_signer **ret, struct error *err)
{
    CLEANUP(jwt_signer_freep) struct jwt_signer *signer = NULL;
    bool is_edwards = algorithm == JWT_EDDSA;
    gnutls_ecc_curve_t curve = is_edwards ? GNUTLS_ECC_CURVE_ED25519 : GNUTLS_ECC_CURVE_SECP256R1;
    int r = new_signer(&signer, err);

    if (r < 0)
        return r;
    r = gnutls_privkey_generate(signer->key, is_edwards ? GNUTLS_PK_EDDSA_ED25519 : GNUTLS_PK_ECDSA,
                                GNUTLS_CURVE_TO_BITS(curve), 0);
    if (r < 0)
        return error_set(err, EIO, "cannot make a key for %s: %s", jwt_algorithm_name(algorithm),
                         gnutls_strerror(r));
    r = finish_signer(signer, err);
    if (r == 0)
        *ret = steal_ptr(&signer);
    return r;
}

int jwt_signer_import(const struct secbuf *pem, struct jwt_signer **ret, struct error *err)
{
    const gnutls_datum_t datum = {.data = pem->data, .size = (unsigned)pem->size};
    CLEANUP(jwt_signer_freep) struct jwt_signer *signer = NULL;
    int r = new_signer(&signer, err);

    if (r < 0)
        return r;
    r = gnutls_privkey_import_x509_raw(signer->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0)
        return error_set(err, EINVAL, "the private key is not valid PEM: %s", gnutls_strerror(r));
    r = finish_signer(signer, err);
    if (r == 0)
        *ret = steal_ptr(&signer);
    return r;
}

static void deinit_private_key(gnutls_x509_privkey_t *key)
{
    if (*key)
        gnutls_x509_privkey_deinit(*key);
}

int jwt_signer_export(const struct jwt_signer *signer, struct secbuf *ret_pem, struct error *err)
{
    CLEANUP(deinit_private_key) gnutls_x509_privkey_t key = NULL;
    CLEANUP(wipe_datum) gnutls_datum_t pem = {0};
    int r = gnutls_privkey_export_x509(signer->key, &key);

    if (r == 0)
        r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                              &pem);
    if (r < 0)
        return error_set(err, EIO, "cannot write the private key: %s", gnutls_strerror(r));
    return secbuf_append(ret_pem, pem.data, pem.size) < 0 ? error_set_oom(err) : 0;
}

/* --- signing ---------------------------------------------------------------------------- */

static int append_encoded(struct secbuf *buf, const void *data, size_t size)
{
    size_t room = base64url_encoded_size(size) + 1;
    int r = secbuf_reserve(buf, room);

    if (r == 0)
        buf->size += base64url_encode_bare(data, size, (char *)buf->data + buf->size);
    return r;
}

/* Copies a number of an ECDSA signature. In DER it may have a leading zero, or be shorter. */
static void place_number(const gnutls_datum_t *number, unsigned char ret[HALF])
{
    const unsigned char *data = number->data;
    size_t size = number->size;

    while (size > HALF)
        data++, size--;
    memcpy(ret + HALF - size, data, size); /* ret contains zeros */
}

static int split_signature(const gnutls_datum_t *der, unsigned char ret[SIGNATURE_SIZE])
{
    CLEANUP(wipe_datum) gnutls_datum_t r = {0}, s = {0};

    if (gnutls_decode_rs_value(der, &r, &s) < 0)
        return -ENOMEM;
    place_number(&r, ret);
    place_number(&s, ret + HALF);
    return 0;
}

static int append_signature(const struct jwt_signer *signer, struct secbuf *token, size_t start)
{
    bool is_edwards = signer->algorithm == JWT_EDDSA;
    const gnutls_datum_t text = {.data = token->data + start,
                                 .size = (unsigned)(token->size - start)};
    CLEANUP(wipe_datum) gnutls_datum_t signature = {0};
    unsigned char bytes[SIGNATURE_SIZE] = {0};
    int r = gnutls_privkey_sign_data2(
        signer->key, is_edwards ? GNUTLS_SIGN_EDDSA_ED25519 : GNUTLS_SIGN_ECDSA_SHA256, 0, &text,
        &signature);

    if (r < 0)
        return -ENOMEM;
    if (is_edwards && signature.size == sizeof(bytes))
        memcpy(bytes, signature.data, sizeof(bytes));
    else
        r = split_signature(&signature, bytes);
    if (r == 0)
        r = secbuf_append(token, ".", 1);
    if (r == 0)
        r = append_encoded(token, bytes, sizeof(bytes));
    explicit_bzero(bytes, sizeof(bytes));
    return r;
}

int jwt_sign(const struct jwt_signer *signer, const char *type, const void *claims, size_t size,
             struct secbuf *ret_token)
{
    char header[HEADER_MAX];
    size_t start = ret_token->size;
    int length = snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"%s\"}",
                          jwt_algorithm_name(signer->algorithm), signer->id, type);
    int r = (size_t)length < sizeof(header) ? append_encoded(ret_token, header, (size_t)length)
                                            : -ENOMEM;

    if (r == 0)
        r = secbuf_append(ret_token, ".", 1);
    if (r == 0)
        r = append_encoded(ret_token, claims, size);
    if (r == 0)
        r = append_signature(signer, ret_token, start);
    if (r < 0)
        secbuf_truncate(ret_token, start);
    return r;
}
