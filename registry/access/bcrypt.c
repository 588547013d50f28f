/*
 * The only file that uses crypt_r(), which libxcrypt or the C library provides. The password is in
 * secure memory, and the work space is wiped afterwards. musl works on the stack, which is wiped,
 * too.
 */
#include "registry/access/bcrypt.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/same-bytes.h"

enum {
    COST_AT = 4,
    SALT_AT = 7,
    HASH_AT = 29,
    SALT_BYTES = 16,
    SALT_SIZE = 22,
    FRAMES_SIZE = 16 << 10
};

static bool is_bcrypt_base64(char c)
{
    return c == '.' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int bcrypt_parse(const char *text, size_t size, unsigned *ret_cost)
{
    unsigned cost;

    if (size < BCRYPT_SIZE || memcmp(text, "$2", 2) != 0 || !memchr("abxy", text[2], 4) ||
        text[3] != '$' || text[SALT_AT - 1] != '$' || !is_digit(text[COST_AT]) ||
        !is_digit(text[COST_AT + 1]))
        return -EINVAL;
    for (size_t i = SALT_AT; i < BCRYPT_SIZE; i++)
        if (!is_bcrypt_base64(text[i]))
            return -EINVAL;
    cost = (unsigned)((text[COST_AT] - '0') * 10 + text[COST_AT + 1] - '0');
    if (cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX)
        return -EINVAL;
    *ret_cost = cost;
    return 0;
}

struct work {
    struct crypt_data *data;
    struct secbuf phrase; /* ends in a NUL */
};

static void work_done(struct work *work)
{
    if (work->data)
        explicit_bzero(work->data, sizeof(*work->data));
    free(work->data);
    secbuf_done(&work->phrase);
}

/* bcrypt uses 72 bytes, but libxcrypt refuses passwords of more than 511. */
static int work_init(struct work *work, const struct secbuf *password)
{
    size_t size = password->size < BCRYPT_PASSWORD_MAX ? password->size : BCRYPT_PASSWORD_MAX;
    int r;

    work->data = calloc(1, sizeof(*work->data));
    if (!work->data)
        return -ENOMEM;
    r = secbuf_append(&work->phrase, password->data, size);
    return r < 0 ? r : secbuf_append(&work->phrase, "", 1);
}

/*
 * Wipes the part of the stack that crypt_r() used. Not inlined, so that the array is in the same
 * place.
 */
__attribute__((noinline)) static void wipe_frames(void)
{
    unsigned char frames[FRAMES_SIZE];

    explicit_bzero(frames, sizeof(frames));
}

/*
 * Returns the hash of the phrase, which is stored in work->data. setting begins with "$2y$", a cost
 * and a salt. Returns NULL with errno set if the library failed: some libraries return NULL then,
 * others a short text that begins with '*'.
 */
static const char *run_crypt(struct work *work, const char *setting)
{
    const char *hash;

    errno = 0;
#if HAVE_CRYPT_RN
    hash = crypt_rn((const char *)work->phrase.data, setting, work->data, (int)sizeof(*work->data));
#else
    hash = crypt_r((const char *)work->phrase.data, setting, work->data);
#endif
    wipe_frames();
    if (hash && strlen(hash) == BCRYPT_SIZE && memcmp(hash, setting, SALT_AT) == 0)
        return hash;
    errno = errno == ENOMEM ? ENOMEM : ENOSYS;
    return NULL;
}

/*
 * bcrypt has its own base64: the digits have another order than in RFC 4648, and there is no
 * padding.
 */
static void format_salt(const unsigned char salt[SALT_BYTES], char ret[SALT_SIZE + 1])
{
    static const char digits[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (size_t i = 0; i < SALT_SIZE; i++) {
        size_t bit = i * 6, byte = bit / 8, next = byte + 1 < SALT_BYTES ? salt[byte + 1] : 0;

        ret[i] = digits[((salt[byte] << 8 | next) >> (10 - bit % 8)) & 63];
    }
    ret[SALT_SIZE] = '\0';
}

static bool has_nul(const struct secbuf *password)
{
    return password->size > 0 && memchr(password->data, '\0', password->size);
}

/* Compares only the hashes, because the library may format the settings before them differently. */
static bool is_same_hash(const char *a, const char *b)
{
    return same_bytes(a + HASH_AT, b + HASH_AT, BCRYPT_SIZE - HASH_AT);
}

int bcrypt_check(const struct secbuf *password, const char *hash)
{
    CLEANUP(work_done) struct work work = {0};
    char setting[BCRYPT_SIZE + 1];
    const char *found;
    int r = work_init(&work, password);

    if (r < 0)
        return r;
    memcpy(setting, hash, BCRYPT_SIZE);
    setting[2] = 'y';
    setting[BCRYPT_SIZE] = '\0';
    found = run_crypt(&work, setting);
    if (!found)
        return -errno;
    return is_same_hash(found, hash) && !has_nul(password) ? 0 : BCRYPT_MISMATCH;
}

int bcrypt_waste(const struct secbuf *password, unsigned cost)
{
    char hash[BCRYPT_SIZE + 1];
    int r;

    snprintf(hash, sizeof(hash), "$2y$%02u$%053d", cost % 100, 0);
    r = bcrypt_check(password, hash);
    return r < 0 ? r : 0;
}

int bcrypt_make(const struct secbuf *password, unsigned cost, char ret_hash[BCRYPT_SIZE + 1])
{
    CLEANUP(work_done) struct work work = {0};
    unsigned char salt[SALT_BYTES];
    char text[SALT_SIZE + 1], setting[SALT_AT + SALT_SIZE + 1];
    const char *hash;
    int r = work_init(&work, password);

    if (r < 0)
        return r;
    if (has_nul(password) || cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX)
        return -EINVAL;
    random_bytes(salt, sizeof(salt));
    format_salt(salt, text);
    snprintf(setting, sizeof(setting), "$2y$%02u$%s", cost % 100, text);
    hash = run_crypt(&work, setting);
    if (!hash)
        return -errno;
    memcpy(ret_hash, hash, BCRYPT_SIZE + 1);
    return 0;
}

int bcrypt_test(struct error *err)
{
    static const char hash[] = "$2y$04$......................w74bL5gU7LSJClZClCa.Pkz14aTv/XO";
    CLEANUP(secbuf_done) struct secbuf password = {0};
    int r = bcrypt_check(&password, hash);

    if (r == -ENOMEM)
        return error_set_oom(err);
    return r == 0
               ? 0
               : error_set(
                     err, ENOSYS,
                     "crypt_r() of this system's C library does not compute bcrypt ($2y$), which "
                     "all users need: build registryd with libxcrypt");
}
