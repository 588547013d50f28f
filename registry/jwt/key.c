#include "registry/jwt/key.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

#include "common/base64.h"
#include "registry/jwt/curve.h"
#include "registry/jwt/key-names.h"

/* The longest numbers of a JWK are those of RSA keys. */
enum { NUMBER_MAX = JWT_RSA_BITS_MAX / 8, KEY_ID_MAX = 512 };

struct jwt_key {
    gnutls_pubkey_t key;
    unsigned algorithms;
    char *kid; /* NULL: none was given */
    char thumbprint[JWT_THUMBPRINT_SIZE], libtrust_id[JWT_LIBTRUST_ID_SIZE];
};

static const unsigned rsa_algorithms = JWT_BIT(JWT_RS256) | JWT_BIT(JWT_RS384) |
                                       JWT_BIT(JWT_RS512) | JWT_BIT(JWT_PS256) |
                                       JWT_BIT(JWT_PS384) | JWT_BIT(JWT_PS512);

static int unusable(const char **ret_why, const char *why)
{
    *ret_why = why;
    return JWT_KEY_UNUSABLE;
}

static void free_datum(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
    datum->data = NULL;
}

static void deinit_public_key(gnutls_pubkey_t *key)
{
    if (*key)
        gnutls_pubkey_deinit(*key);
}

void jwt_key_free(struct jwt_key *key)
{
    if (!key)
        return;
    deinit_public_key(&key->key);
    free(key->kid);
    free(key);
}

void jwt_key_freep(struct jwt_key **key)
{
    jwt_key_free(*key);
}

bool jwt_key_has_id(const struct jwt_key *key, const char *kid)
{
    if (key->kid)
        return strcmp(key->kid, kid) == 0;
    return strcmp(key->thumbprint, kid) == 0 || strcmp(key->libtrust_id, kid) == 0;
}

const char *jwt_key_get_thumbprint(const struct jwt_key *key)
{
    return key->thumbprint;
}

const char *jwt_key_get_libtrust_id(const struct jwt_key *key)
{
    return key->libtrust_id;
}

bool jwt_key_is_equal(const struct jwt_key *a, const struct jwt_key *b)
{
    return strcmp(a->thumbprint, b->thumbprint) == 0;
}

unsigned jwt_key_get_algorithms(const struct jwt_key *key)
{
    return key->algorithms;
}

/* --- from GnuTLS ------------------------------------------------------------------------ */

static int find_algorithms(gnutls_pubkey_t key, unsigned *ret, const char **ret_why)
{
    unsigned bits = 0;
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    int type = gnutls_pubkey_get_pk_algorithm(key, &bits);

    if (type == GNUTLS_PK_RSA) {
        *ret = rsa_algorithms;
        return bits >= JWT_RSA_BITS_MIN && bits <= JWT_RSA_BITS_MAX
                   ? 0
                   : unusable(ret_why, "an RSA key must have 2048 to 8192 bits");
    }
    if ((type != GNUTLS_PK_ECDSA && type != GNUTLS_PK_EDDSA_ED25519) ||
        gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) < 0 || !jwt_curve_find(curve))
        return unusable(
            ret_why,
            "its type is not supported; supported are RSA, P-256, P-384, P-521 and Ed25519");
    *ret = JWT_BIT(jwt_curve_find(curve)->algorithm);
    return gnutls_pubkey_verify_params(key) < 0
               ? unusable(ret_why, "it is not a point of its curve")
               : 0;
}

int jwt_key_from_gnutls(struct gnutls_pubkey_st *public_key, const char *kid, struct jwt_key **ret,
                        const char **ret_why)
{
    CLEANUP(deinit_public_key) gnutls_pubkey_t owned = public_key;
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    unsigned algorithms = 0;
    int r = find_algorithms(public_key, &algorithms, ret_why);

    if (r != 0)
        return r;
    if (kid && (strlen(kid) == 0 || strlen(kid) > KEY_ID_MAX))
        return unusable(ret_why, "its kid is empty or too long");
    key = calloc(1, sizeof(*key));
    if (!key)
        return -ENOMEM;
    key->key = steal_ptr(&owned);
    key->algorithms = algorithms;
    key->kid = kid ? strdup(kid) : NULL;
    if ((kid && !key->kid) || key_names_thumbprint(key->key, key->thumbprint) < 0 ||
        key_names_libtrust_id(key->key, key->libtrust_id) < 0)
        return -ENOMEM;
    *ret = steal_ptr(&key);
    return 0;
}

int jwt_key_from_certificate(struct gnutls_x509_crt_int *certificate, struct jwt_key **ret,
                             const char **ret_why)
{
    CLEANUP(deinit_public_key) gnutls_pubkey_t public_key = NULL;

    if (gnutls_pubkey_init(&public_key) < 0)
        return -ENOMEM;
    if (gnutls_pubkey_import_x509(public_key, certificate, 0) < 0)
        return unusable(ret_why, "its key cannot be read");
    return jwt_key_from_gnutls(steal_ptr(&public_key), NULL, ret, ret_why);
}

/* --- from a JWK ------------------------------------------------------------------------- */

/* A number of a JWK, decoded. */
struct number {
    unsigned char bytes[NUMBER_MAX + 8];
    size_t size;
};

static int read_number(const struct json *jwk, const char *name, struct number *ret)
{
    const char *text = json_get_text(json_find(jwk, name));
    size_t length = text ? strlen(text) : 0;

    if (length == 0 || length / 4 * 3 > NUMBER_MAX)
        return -EINVAL;
    return base64url_decode_bare(text, length, ret->bytes, &ret->size);
}

static gnutls_datum_t datum_of(const struct number *number)
{
    return (gnutls_datum_t){.data = (unsigned char *)number->bytes, .size = (unsigned)number->size};
}

/* An exponent of 1 would make every signature valid, and a long one slow. */
static bool is_sound_exponent(const struct number *e)
{
    return e->size <= 8 && e->bytes[0] != 0 && e->bytes[e->size - 1] & 1 &&
           !(e->size == 1 && e->bytes[0] == 1);
}

static int import_rsa(const struct json *jwk, gnutls_pubkey_t key, const char **ret_why)
{
    struct number n, e;
    gnutls_datum_t modulus, exponent;

    if (read_number(jwk, "n", &n) < 0 || read_number(jwk, "e", &e) < 0)
        return unusable(ret_why, "its n or e is not a number in base64url");
    if (!is_sound_exponent(&e))
        return unusable(ret_why, "its e is not an odd number from 3 to 2^64");
    modulus = datum_of(&n);
    exponent = datum_of(&e);
    return gnutls_pubkey_import_rsa_raw(key, &modulus, &exponent) < 0
               ? unusable(ret_why, "it is not a valid RSA key")
               : 0;
}

static int import_curve(const struct json *jwk, enum jwt_curve_kind kind, gnutls_pubkey_t key,
                        const char **ret_why)
{
    const struct jwt_curve *curve =
        jwt_curve_of_name(kind, json_get_text(json_find(jwk, "crv")));
    bool has_y = kind == JWT_CURVE_ECDSA;
    struct number x, y;
    gnutls_datum_t x_datum, y_datum;

    if (!curve)
        return unusable(ret_why, "its curve is not supported");
    if (read_number(jwk, "x", &x) < 0 || x.size != curve->coordinate_size)
        return unusable(ret_why, "its x does not have the size of a coordinate");
    if (has_y && (read_number(jwk, "y", &y) < 0 || y.size != curve->coordinate_size))
        return unusable(ret_why, "its y does not have the size of a coordinate");
    x_datum = datum_of(&x);
    if (has_y)
        y_datum = datum_of(&y);
    return gnutls_pubkey_import_ecc_raw(key, curve->curve, &x_datum, has_y ? &y_datum : NULL) < 0
               ? unusable(ret_why, "it is not a point of its curve")
               : 0;
}

static int import_jwk(const struct json *jwk, gnutls_pubkey_t key, const char **ret_why)
{
    const char *type = json_get_text(json_find(jwk, "kty"));

    if (type && strcmp(type, "RSA") == 0)
        return import_rsa(jwk, key, ret_why);
    if (type && strcmp(type, "EC") == 0)
        return import_curve(jwk, JWT_CURVE_ECDSA, key, ret_why);
    if (type && strcmp(type, "OKP") == 0)
        return import_curve(jwk, JWT_CURVE_EDDSA, key, ret_why);
    return unusable(ret_why, "its type is not supported; supported are RSA, EC and OKP");
}

static bool has_verify(const struct json *operations)
{
    for (const struct json *item = json_get_first(operations); item; item = json_get_next(item))
        if (json_get_text(item) && strcmp(json_get_text(item), "verify") == 0)
            return true;
    return false;
}

/* Whether the JWK is meant to verify signatures. */
static bool is_for_signatures(const struct json *jwk)
{
    const struct json *use = json_find(jwk, "use"), *operations = json_find(jwk, "key_ops");

    if (use && (!json_get_text(use) || strcmp(json_get_text(use), "sig") != 0))
        return false;
    return !operations || has_verify(operations);
}

/* Binds the key to the algorithm that its JWK names. */
static int bind_algorithm(const struct json *jwk, struct jwt_key *key, const char **ret_why)
{
    const struct json *name = json_find(jwk, "alg");
    enum jwt_algorithm algorithm;

    if (!name)
        return 0;
    if (!json_get_text(name) || jwt_algorithm_parse(json_get_text(name), &algorithm) < 0)
        return unusable(ret_why, "its alg is not supported");
    key->algorithms &= JWT_BIT(algorithm);
    return key->algorithms ? 0 : unusable(ret_why, "its alg does not fit its type");
}

static int check_purpose(const struct json *jwk, const char **ret_why)
{
    const struct json *kid = json_find(jwk, "kid");

    if (json_get_type(jwk) != JSON_OBJECT)
        return unusable(ret_why, "it is not an object");
    if (!is_for_signatures(jwk))
        return unusable(ret_why, "it is not for signatures");
    return kid && !json_get_text(kid) ? unusable(ret_why, "its kid is not a text") : 0;
}

int jwt_key_from_jwk(const struct json *jwk, struct jwt_key **ret, const char **ret_why)
{
    CLEANUP(deinit_public_key) gnutls_pubkey_t public_key = NULL;
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    int r = check_purpose(jwk, ret_why);

    if (r == 0 && gnutls_pubkey_init(&public_key) < 0)
        return -ENOMEM;
    if (r == 0)
        r = import_jwk(jwk, public_key, ret_why);
    if (r == 0)
        r = jwt_key_from_gnutls(steal_ptr(&public_key), json_get_text(json_find(jwk, "kid")), &key,
                                ret_why);
    if (r == 0)
        r = bind_algorithm(jwk, key, ret_why);
    if (r == 0)
        *ret = steal_ptr(&key);
    return r;
}

/* --- signatures ------------------------------------------------------------------------- */

static gnutls_sign_algorithm_t sign_algorithm(enum jwt_algorithm algorithm)
{
    static const gnutls_sign_algorithm_t table[JWT_ALGORITHM_COUNT] = {
        [JWT_ES256] = GNUTLS_SIGN_ECDSA_SHA256,
        [JWT_ES384] = GNUTLS_SIGN_ECDSA_SHA384,
        [JWT_ES512] = GNUTLS_SIGN_ECDSA_SHA512,
        [JWT_EDDSA] = GNUTLS_SIGN_EDDSA_ED25519,
        [JWT_RS256] = GNUTLS_SIGN_RSA_SHA256,
        [JWT_RS384] = GNUTLS_SIGN_RSA_SHA384,
        [JWT_RS512] = GNUTLS_SIGN_RSA_SHA512,
        [JWT_PS256] = GNUTLS_SIGN_RSA_PSS_RSAE_SHA256,
        [JWT_PS384] = GNUTLS_SIGN_RSA_PSS_RSAE_SHA384,
        [JWT_PS512] = GNUTLS_SIGN_RSA_PSS_RSAE_SHA512,
    };

    return table[algorithm];
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    unsigned char any = 0;

    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

/* The size of r and s in an ECDSA signature; 0 for other algorithms. */
static size_t half_size(enum jwt_algorithm algorithm)
{
    const struct jwt_curve *curve = jwt_curve_of_algorithm(algorithm);

    return curve && algorithm != JWT_EDDSA ? curve->coordinate_size : 0;
}

/* Converts r and s next to each other, as in a token, to the form that GnuTLS verifies. */
static int encode_ecdsa(const unsigned char *signature, size_t size, size_t half,
                        gnutls_datum_t *ret)
{
    const gnutls_datum_t r = {.data = (unsigned char *)signature, .size = (unsigned)half};
    const gnutls_datum_t s = {.data = (unsigned char *)signature + half, .size = (unsigned)half};

    if (size != 2 * half || is_zero(r.data, half) || is_zero(s.data, half))
        return JWT_KEY_MISMATCH;
    return gnutls_encode_rs_value(ret, &r, &s) < 0 ? -ENOMEM : 0;
}

int jwt_key_verify(const struct jwt_key *key, enum jwt_algorithm algorithm, const void *data,
                   size_t size, const void *signature, size_t signature_size)
{
    const gnutls_datum_t text = {.data = (unsigned char *)data, .size = (unsigned)size};
    const gnutls_datum_t plain = {.data = (unsigned char *)signature,
                                  .size = (unsigned)signature_size};
    CLEANUP(free_datum) gnutls_datum_t encoded = {0};
    size_t half = half_size(algorithm);
    int r = half ? encode_ecdsa(signature, signature_size, half, &encoded) : 0;

    if (r != 0)
        return r;
    if (!(key->algorithms & JWT_BIT(algorithm)))
        return JWT_KEY_MISMATCH;
    r = gnutls_pubkey_verify_data2(key->key, sign_algorithm(algorithm), 0, &text,
                                   half ? &encoded : &plain);
    if (r == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    return r < 0 ? JWT_KEY_MISMATCH : 0;
}
