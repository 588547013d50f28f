#include "tests/unit/registry-jwt/maker.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "tests/unit/check.h"

static const char *const keys[MAKER_KEYS] = {
    [MAKER_P256] = "-----BEGIN PRIVATE KEY-----\n"
                   "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbXfmjfpIJNx8Bx09\n"
                   "4oxoX38adb281qSgPqcrSuSkUI2hRANCAARkWUEnPhxOb65GRpzPS4Uz+vtnD/0L\n"
                   "hV+h64gmLbyGDtYR++9ygjM5/DJ5hdW3Wu7/niWw3IVMzmW4OFVXAM1S\n"
                   "-----END PRIVATE KEY-----\n",
    [MAKER_P384] = "-----BEGIN PRIVATE KEY-----\n"
                   "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBqSMdydXa2tOXM5VtS\n"
                   "NnU7NeVHp4g3GWh7+kR6KzsJCkSo9AKOxDHDnemBDdbwYKWhZANiAARpKk9Nw2a3\n"
                   "42ZL1CD3/WFoKPEPbFaC/UvAH/igW4r9sBMgD45jkVq7pd8mhGySlqQABeksh2Ju\n"
                   "b3N+wmvXETtFPsTOinMZM9cNuZFH6p8rAg+Xx1iPOfDyiuYNAMhsCYY=\n"
                   "-----END PRIVATE KEY-----\n",
    [MAKER_RSA] = "-----BEGIN PRIVATE KEY-----\n"
                  "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDdlot1QM0go1Yv\n"
                  "MYqZntGyQDV/A/MZTQMGzSm5y3dmJCXL3Oe6lVYXNGx+3EUBrbPwEsqSl9hhA9Lv\n"
                  "3pwCt9jdwhd2HCIxlllbLo2rJSCMqs3rMcgU1kLVc29GEGXNxJ6T7xTW1oeqBG8J\n"
                  "aRQ1gAFoXaotfGYi5Ve6RxSjc9Jyfoqrzb9L8+MlumPBMz8gb1H56WTKDl0FZLld\n"
                  "EGx0Vva2lS/LUT8lSTtGnNSjFxhH/ygQ2/QxvfHbxkdJ3VmAAKlNkC16njxmEPOV\n"
                  "ehloIPDb2zvcsh0Bnuze+aRpTJ/6ijmAjbxUftgVe29tfkMIxIgdVxpVP2ceIpGj\n"
                  "n2nxwp8XAgMBAAECggEACwiGTrVhqoHeZBMJ7S/VV0sqvr6rPk8xbSwOdHY3Lopy\n"
                  "qMScKqZppMO3sUSIEITU38Blfn9C67EmjUqey5uRKitJHjQQRTrQwlgsI884O8H8\n"
                  "C4+/gCz2ta0iZ3pXHQ9MKcxBHQZE3AhEoInT0v1Hnc6Dj18++dJEmA/NkcY7rEBm\n"
                  "TkV4o4YCsYm6I43u16nQanRlLNkGney0yeEzKXL4HUP63AGLGSomjwZfLu+kYh+H\n"
                  "q1DEl4Jk6EJsgrcZiPl5wUsgLIxJ0RGdJ5DXb98JfKgfu90Xwijos+a1Leq1xSNP\n"
                  "CjBdyATZyWoXtzyFwEKWcvgvuYT6KiKEnySYq3g7AQKBgQD6AsiqCE98sFn4/5zr\n"
                  "QdugIbV6gn3InyLEjOtyLxPXPjspNuSJDiVfMfWhG4HMv+kjVkCB2qblQZVf59wB\n"
                  "eCKNHwtMGMdVI+rBmyvmrR/uMro2kQbReJoV7GC9pJPDyUDl6004xLV23AZsa1DO\n"
                  "+0q6vtKZ+uBLd2tbOE9lMDE7AQKBgQDi5XSLptSxFsK5Ria8D4XxYR5xdsJdYEaS\n"
                  "4MP+NwqMujEqbVMoBegEq6clTlQEJLlveP59482JY0cj3kdTA+qPYEKht6Zy0kdr\n"
                  "DwLS9auCv8aNv+PU0IetbFHi7QJnXp5vyqrMrkKC0c+zhKe/P1lkNp7fmn6Ox4b0\n"
                  "7bmBCHBSFwKBgGWJ5eew0l+o3BHV9uxRZhqmNieYge+OOjerqCBK4HsF6k813SGQ\n"
                  "3jrIdqNFIbV/p/dTG4XhwPDRbxJxf5gVK6s3FYaFdcete7XACNd6LsK2VYy94BAJ\n"
                  "NEN9Klk7U0wsG7CFnWpV8gFhITa9ayd1RgeMYspo6tmbmb2FpDFLnmMBAoGAINhU\n"
                  "ca7Z1TTVRVq5WrnoitOjQ4uMgVXhgXuWA6PWHB8L5PdkdUO9nYd3r7fSA7OJQHDE\n"
                  "blbetwevEasoqgTEHLMzkhNyveZgvkezAfTcOhYm2PgxM+pn6ZvnkrD6ixowV0CA\n"
                  "Txbeu+9BYNxQKCg0eYRKpVXJAkQx7hzHoL0m/UsCgYA6Y6ukgBRFY0acaRhDvMtT\n"
                  "5X91/Q1ebOkEKaRjY4985EFSC88d2WwrLZHDz/wt1f6INFNuvrMQyKUJHM7mwC0l\n"
                  "QFIKCgW6GMa1UOIHaGwgcp47ZBtDwPerqNOXp8e9TkRR5fYewsFxh5Hhm05vwgmW\n"
                  "8VVfgYnrFwr1tkOgg2c2bA==\n"
                  "-----END PRIVATE KEY-----\n",
    [MAKER_ED25519] = "-----BEGIN PRIVATE KEY-----\n"
                      "MC4CAQAwBQYDK2VwBCIEILaw4eTTmwrCD2mWeJuAORGOUGrAfWx0Ee5q+1TfTpgi\n"
                      "-----END PRIVATE KEY-----\n",
};

static gnutls_privkey_t read_key(enum maker_key which)
{
    const gnutls_datum_t pem = {.data = (unsigned char *)keys[which],
                                .size = (unsigned)strlen(keys[which])};
    gnutls_privkey_t key;

    assert_int_equal(gnutls_privkey_init(&key), 0);
    assert_int_equal(gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
    return key;
}

struct jwt_key *maker_get_key(enum maker_key which)
{
    gnutls_privkey_t private_key = read_key(which);
    gnutls_pubkey_t public_key;
    struct jwt_key *key = NULL;
    const char *why;

    assert_int_equal(gnutls_pubkey_init(&public_key), 0);
    assert_int_equal(gnutls_pubkey_import_privkey(public_key, private_key, 0, 0), 0);
    assert_int_equal(jwt_key_from_gnutls(public_key, NULL, &key, &why), 0);
    gnutls_privkey_deinit(private_key);
    return key;
}

struct jwt_key_set *maker_get_set(enum maker_key which)
{
    struct jwt_key_set *set = NULL;

    assert_int_equal(jwt_key_set_new(&set), 0);
    assert_int_equal(jwt_key_set_add(set, maker_get_key(which)), 0);
    return set;
}

struct jwt_key_set *maker_get_all(void)
{
    struct jwt_key_set *set = NULL;

    assert_int_equal(jwt_key_set_new(&set), 0);
    for (unsigned i = 0; i < MAKER_KEYS; i++)
        assert_int_equal(jwt_key_set_add(set, maker_get_key((enum maker_key)i)), 0);
    return set;
}

static char *encode(const void *data, size_t size)
{
    char *text = malloc(base64url_encoded_size(size) + 1);

    assert_non_null(text);
    base64url_encode_bare(data, size, text);
    return text;
}

char *maker_join(const char *header, const char *claims, const void *signature, size_t size)
{
    char *first = encode(header, strlen(header)), *second = encode(claims, strlen(claims));
    char *third = encode(signature, size), *token = NULL;

    assert_true(asprintf(&token, "%s.%s.%s", first, second, third) > 0);
    free(first);
    free(second);
    free(third);
    return token;
}

static gnutls_sign_algorithm_t sign_algorithm(enum jwt_algorithm algorithm)
{
    switch (algorithm) {
    case JWT_ES256:
        return GNUTLS_SIGN_ECDSA_SHA256;
    case JWT_ES384:
        return GNUTLS_SIGN_ECDSA_SHA384;
    case JWT_EDDSA:
        return GNUTLS_SIGN_EDDSA_ED25519;
    case JWT_PS256:
        return GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
    default:
        return GNUTLS_SIGN_RSA_SHA256;
    }
}

/* r and s, each with zeros in front up to half. */
static void split(gnutls_datum_t *signature, size_t half)
{
    gnutls_datum_t parts[2];
    unsigned char *both = gnutls_calloc(2, half);

    assert_non_null(both);
    assert_int_equal(gnutls_decode_rs_value(signature, &parts[0], &parts[1]), 0);
    for (size_t i = 0; i < 2; i++) {
        size_t skipped = parts[i].size > half ? parts[i].size - half : 0,
               size = parts[i].size - skipped;

        memcpy(both + (i + 1) * half - size, parts[i].data + skipped, size);
        gnutls_free(parts[i].data);
    }
    gnutls_free(signature->data);
    *signature = (gnutls_datum_t){.data = both, .size = (unsigned)(2 * half)};
}

char *maker_sign(const char *header, const char *claims, enum maker_key which,
                 enum jwt_algorithm algorithm)
{
    gnutls_privkey_t key = read_key(which);
    gnutls_datum_t signature, text;
    char *token = maker_join(header, claims, "", 0);

    token[strlen(token) - 1] = '\0'; /* the second dot */
    text = (gnutls_datum_t){.data = (unsigned char *)token, .size = (unsigned)strlen(token)};
    assert_int_equal(
        gnutls_privkey_sign_data2(key, sign_algorithm(algorithm), 0, &text, &signature), 0);
    if (algorithm == JWT_ES256 || algorithm == JWT_ES384)
        split(&signature, algorithm == JWT_ES256 ? 32 : 48);
    free(token);
    token = maker_join(header, claims, signature.data, signature.size);
    gnutls_free(signature.data);
    gnutls_privkey_deinit(key);
    return token;
}

char *maker_make_jwks(const char *kid)
{
    gnutls_privkey_t key = read_key(MAKER_P256);
    gnutls_ecc_curve_t curve;
    gnutls_datum_t x, y;
    char *x_text, *y_text, *text = NULL;
    unsigned char numbers[2][32] = {{0}};

    assert_int_equal(
        gnutls_privkey_export_ecc_raw2(key, &curve, &x, &y, NULL, GNUTLS_EXPORT_FLAG_NO_LZ), 0);
    memcpy(numbers[0] + 32 - x.size, x.data, x.size);
    memcpy(numbers[1] + 32 - y.size, y.data, y.size);
    x_text = encode(numbers[0], 32);
    y_text = encode(numbers[1], 32);
    assert_true(asprintf(&text,
                         "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\","
                         "\"kid\":\"%s\"}]}\n",
                         x_text, y_text, kid) > 0);
    free(x_text);
    free(y_text);
    gnutls_free(x.data);
    gnutls_free(y.data);
    gnutls_privkey_deinit(key);
    return text;
}
