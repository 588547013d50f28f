#include "common/hmac.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "common/secbuf.h"

int hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                unsigned char ret[HMAC_SHA256_SIZE])
{
    gcry_md_hd_t state;

    secure_free(secure_malloc(1)); /* initialises libgcrypt if necessary */
    if (gcry_md_open(&state, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC | GCRY_MD_FLAG_SECURE) != 0)
        return -ENOMEM;
    if (gcry_md_setkey(state, key, key_size) != 0) {
        gcry_md_close(state);
        return -ENOMEM;
    }
    gcry_md_write(state, data, size);
    memcpy(ret, gcry_md_read(state, GCRY_MD_SHA256), HMAC_SHA256_SIZE);
    gcry_md_close(state);
    return 0;
}
