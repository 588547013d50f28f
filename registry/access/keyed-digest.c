/* Computes HMACs. The only file of the program registryd that uses libgcrypt. */
#include "registry/access/keyed-digest.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/secbuf.h"

/*
 * A state after the key was set, for reuse. Making a new state takes longer than computing a
 * digest, because libgcrypt searches its secure memory under a lock.
 */
struct spare {
    bool is_taken;      /* atomic */
    gcry_md_hd_t state; /* NULL: not made yet; only the thread that has taken the spare uses it */
};

enum { SPARES = 8 }; /* more threads at once make their own state */

struct keyed_digest {
    gcry_md_hd_t keyed; /* the original of all states; constant after the key was set */
    struct spare spares[SPARES];
};

static int open_random(struct keyed_digest *digest)
{
    unsigned char *key = secure_malloc(KEYED_DIGEST_KEY_SIZE);
    gcry_error_t r;

    if (!key)
        return -ENOMEM;
    random_bytes(key, KEYED_DIGEST_KEY_SIZE);
    r = gcry_md_setkey(digest->keyed, key, KEYED_DIGEST_KEY_SIZE);
    secure_free(key);
    return r == 0 ? 0 : -ENOMEM;
}

int keyed_digest_new(const unsigned char *key, struct keyed_digest **ret)
{
    struct keyed_digest *digest = calloc(1, sizeof(*digest));
    int r;

    if (!digest)
        return -ENOMEM;
    if (gcry_md_open(&digest->keyed, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC | GCRY_MD_FLAG_SECURE) != 0)
        r = -ENOMEM;
    else if (!key)
        r = open_random(digest);
    else
        r = gcry_md_setkey(digest->keyed, key, KEYED_DIGEST_KEY_SIZE) == 0 ? 0 : -ENOMEM;
    if (r < 0) {
        keyed_digest_free(digest);
        return r;
    }
    *ret = digest;
    return 0;
}

void keyed_digest_free(struct keyed_digest *digest)
{
    if (!digest)
        return;
    for (size_t i = 0; i < SPARES; i++)
        gcry_md_close(digest->spares[i].state);
    gcry_md_close(digest->keyed);
    free(digest);
}

/*
 * Returns NULL if all are taken. Each thread starts with the spare that it used last, so threads
 * seldom compete for one.
 */
static struct spare *take_spare(struct keyed_digest *digest)
{
    static _Thread_local size_t last;

    for (size_t i = 0; i < SPARES; i++) {
        size_t at = (last + i) % SPARES;

        if (!__atomic_exchange_n(&digest->spares[at].is_taken, true, __ATOMIC_ACQUIRE)) {
            last = at;
            return &digest->spares[at];
        }
    }
    return NULL;
}

static void compute(gcry_md_hd_t state, const struct keyed_part *parts, size_t count,
                    unsigned char ret[KEYED_DIGEST_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        uint64_t size = parts[i].size;

        gcry_md_write(state, &size, sizeof(size));
        if (size > 0)
            gcry_md_write(state, parts[i].data, parts[i].size);
    }
    memcpy(ret, gcry_md_read(state, GCRY_MD_SHA256), KEYED_DIGEST_SIZE);
}

/* spare: NULL if all are taken. */
static int compute_with(struct keyed_digest *digest, struct spare *spare,
                        const struct keyed_part *parts, size_t count,
                        unsigned char ret[KEYED_DIGEST_SIZE])
{
    gcry_md_hd_t state = spare ? spare->state : NULL;

    if (!state && gcry_md_copy(&state, digest->keyed) != 0)
        return -ENOMEM;
    compute(state, parts, count, ret);
    if (!spare) {
        gcry_md_close(state);
        return 0;
    }
    gcry_md_reset(state); /* wipes the input, which may be secret */
    spare->state = state;
    return 0;
}

int keyed_digest_compute(struct keyed_digest *digest, const struct keyed_part *parts, size_t count,
                         unsigned char ret[KEYED_DIGEST_SIZE])
{
    struct spare *spare = take_spare(digest);
    int r = compute_with(digest, spare, parts, count, ret);

    if (spare)
        __atomic_store_n(&spare->is_taken, false, __ATOMIC_RELEASE);
    return r;
}
