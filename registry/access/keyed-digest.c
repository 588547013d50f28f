/* The one file of the registry that uses libgcrypt. */
#include "registry/access/keyed-digest.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/secbuf.h"

struct keyed_digest {
    gcry_md_hd_t keyed; /* copied for each digest; never written to after it has its key */
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
    gcry_md_close(digest->keyed);
    free(digest);
}

int keyed_digest_compute(const struct keyed_digest *digest, const struct keyed_part *parts, size_t count,
                         unsigned char ret[KEYED_DIGEST_SIZE])
{
    gcry_md_hd_t state;

    if (gcry_md_copy(&state, digest->keyed) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t size = parts[i].size;

        gcry_md_write(state, &size, sizeof(size));
        if (size > 0)
            gcry_md_write(state, parts[i].data, parts[i].size);
    }
    memcpy(ret, gcry_md_read(state, GCRY_MD_SHA256), KEYED_DIGEST_SIZE);
    gcry_md_close(state);
    return 0;
}
