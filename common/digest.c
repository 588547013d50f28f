/*
 * Content is addressed by its digest, so a registry that computes or parses one wrongly serves the
 * wrong bytes. libgcrypt computes digests; only this file parses them.
 */
#include "common/digest.h"

#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/secbuf.h"

static const struct algorithm {
    const char *name;
    size_t size; /* in bytes */
    int id;      /* libgcrypt's */
} algorithms[] = {
    [DIGEST_SHA256] = {"sha256", 32, GCRY_MD_SHA256},
    [DIGEST_SHA512] = {"sha512", 64, GCRY_MD_SHA512},
};

struct hasher {
    enum digest_algorithm algorithm;
    gcry_md_hd_t state;
    bool is_ended;
};

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

size_t digest_hex_size(enum digest_algorithm algorithm)
{
    return algorithms[algorithm].size * 2;
}

int digest_algorithm_parse(const char *name, size_t size, enum digest_algorithm *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        if (strlen(algorithms[i].name) == size && memcmp(algorithms[i].name, name, size) == 0) {
            *ret = (enum digest_algorithm)i;
            return 0;
        }
    }
    return -ENOTSUP;
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The grammar's algorithm: components of [a-z0-9]+ with one of [+._-] between them. */
static bool is_algorithm(const char *text, size_t size)
{
    bool is_after_separator = true;

    for (size_t i = 0; i < size; i++) {
        bool is_separator = memchr("+._-", text[i], 4) != NULL;

        if (is_separator ? is_after_separator : !is_lower_or_digit(text[i]))
            return false;
        is_after_separator = is_separator;
    }
    return !is_after_separator;
}

/* The grammar's encoded part: [a-zA-Z0-9=_-]+ */
static bool is_encoded(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_lower_or_digit(text[i]) && !(text[i] >= 'A' && text[i] <= 'Z') &&
            !memchr("=_-", text[i], 3))
            return false;
    return size > 0;
}

static bool is_lower_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    return true;
}

int digest_parse(const char *text, size_t size, struct digest *ret)
{
    const char *colon = size ? memchr(text, ':', size) : NULL, *encoded;
    enum digest_algorithm algorithm;
    size_t name_size, encoded_size;

    if (!colon)
        return -EINVAL;
    name_size = (size_t)(colon - text);
    encoded = colon + 1;
    encoded_size = size - name_size - 1;
    if (digest_algorithm_parse(text, name_size, &algorithm) < 0)
        return is_algorithm(text, name_size) && is_encoded(encoded, encoded_size) ? -ENOTSUP
                                                                                  : -EINVAL;
    if (encoded_size != digest_hex_size(algorithm) || !is_lower_hex(encoded, encoded_size))
        return -EINVAL;
    *ret = (struct digest){.algorithm = algorithm};
    memcpy(ret->hex, encoded, encoded_size);
    return 0;
}

void digest_format(const struct digest *digest, char ret_text[DIGEST_TEXT_SIZE])
{
    const struct algorithm *algorithm = &algorithms[digest->algorithm];
    size_t name_size = strlen(algorithm->name);

    memcpy(ret_text, algorithm->name, name_size);
    ret_text[name_size] = ':';
    memcpy(ret_text + name_size + 1, digest->hex, algorithm->size * 2);
    ret_text[name_size + 1 + algorithm->size * 2] = '\0';
}

bool digest_is_equal(const struct digest *a, const struct digest *b)
{
    return a->algorithm == b->algorithm &&
           memcmp(a->hex, b->hex, digest_hex_size(a->algorithm)) == 0;
}

/* common/secbuf initialises libgcrypt at the first allocation. */
static void set_up(void)
{
    secure_free(secure_malloc(1));
}

static void ensure_set_up(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
}

int hasher_new(enum digest_algorithm algorithm, struct hasher **ret)
{
    struct hasher *hasher;

    ensure_set_up();
    hasher = calloc(1, sizeof(*hasher));
    if (!hasher)
        return -ENOMEM;
    hasher->algorithm = algorithm;
    if (gcry_md_open(&hasher->state, algorithms[algorithm].id, 0)) {
        free(hasher);
        return -ENOMEM; /* every libgcrypt has both algorithms, also in FIPS mode */
    }
    *ret = hasher;
    return 0;
}

void hasher_free(struct hasher *hasher)
{
    if (!hasher)
        return;
    gcry_md_close(hasher->state);
    free(hasher);
}

void hasher_write(struct hasher *hasher, const void *data, size_t size)
{
    if (hasher->is_ended)
        abort(); /* the result would be the digest of other bytes */
    if (size)
        gcry_md_write(hasher->state, data, size);
}

static void format_hex(const unsigned char *bytes, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *ret_text++ = digits[bytes[i] >> 4];
        *ret_text++ = digits[bytes[i] & 0xF];
    }
}

void hasher_get(struct hasher *hasher, struct digest *ret)
{
    const struct algorithm *algorithm = &algorithms[hasher->algorithm];
    gcry_md_hd_t copy = NULL;

    /* Reading finalises the state, so a copy is read, if there is memory for one. */
    if (hasher->is_ended || gcry_md_copy(&copy, hasher->state))
        hasher->is_ended = true;
    *ret = (struct digest){.algorithm = hasher->algorithm};
    format_hex(gcry_md_read(copy ? copy : hasher->state, algorithm->id), algorithm->size, ret->hex);
    gcry_md_close(copy);
}

void digest_bytes_of(enum digest_algorithm algorithm, const void *data, size_t size,
                     unsigned char ret[DIGEST_BYTES_MAX])
{
    ensure_set_up();
    gcry_md_hash_buffer(algorithms[algorithm].id, ret, size ? data : "", size);
}

int digest_of(enum digest_algorithm algorithm, const void *data, size_t size, struct digest *ret)
{
    unsigned char bytes[DIGEST_BYTES_MAX];

    digest_bytes_of(algorithm, data, size, bytes);
    *ret = (struct digest){.algorithm = algorithm};
    format_hex(bytes, algorithms[algorithm].size, ret->hex);
    return 0;
}
