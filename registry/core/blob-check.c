/*
 * Compares blobs with their digests while they are sent, unless that was done recently. The digest
 * is known only after the last byte. If the blob is damaged, the last read fails, so that the
 * client does not receive everything.
 */
#include <errno.h>
#include <stdlib.h>

#include "registry/core/checked-blobs.h"
#include "registry/core/store-private.h"

enum { BORROW_MAX = 64 << 10 /* hashed by an event thread in a turn */ };

struct store_check {
    struct store *store;
    struct store_blob blob;
    struct store_reader *reader;
    struct hasher *hasher;
    uint64_t hashed;
};

bool store_is_checked(struct store *store, const struct store_blob *blob)
{
    return blob->is_verified ||
           checked_blobs_have(store->checked, &blob->canonical, blob->identity);
}

/* Whether the bytes, all of which were hashed, match the digest. */
static bool is_right(struct store_check *check)
{
    struct digest found;

    hasher_get(check->hasher, &found);
    if (!digest_is_equal(&found, &check->blob.canonical))
        return false;
    checked_blobs_add(check->store->checked, &check->blob.canonical, check->blob.identity);
    return true;
}

int store_check_start(struct store *store, const struct store_blob *blob,
                      struct store_reader *reader, struct store_check **ret, struct error *err)
{
    CLEANUP(store_check_closep) struct store_check *check = calloc(1, sizeof(*check));

    if (!check)
        store_reader_close(reader);
    if (!check)
        return error_set_oom(err);
    *check = (struct store_check){.store = store, .blob = *blob, .reader = reader};
    if (hasher_new(DIGEST_SHA256, &check->hasher) < 0)
        return error_set_oom(err);
    if (blob->size == 0 && !is_right(check)) /* an empty blob has no last read */
        return error_set(
            err, EBADMSG,
            "the blob sha256:%s is damaged: it is empty; remove its file and push it again",
            blob->canonical.hex);
    *ret = steal_ptr(&check);
    return 0;
}

/* Hashes the n bytes that were read at offset. n, or -errno. */
static ssize_t check_bytes(struct store_check *check, uint64_t offset, const void *data, ssize_t n)
{
    if (n <= 0)
        return n;
    if (offset != check->hashed)
        return -EINVAL;
    hasher_write(check->hasher, data, (size_t)n);
    check->hashed += (uint64_t)n;
    return check->hashed < check->blob.size || is_right(check) ? n : -EBADMSG;
}

ssize_t store_check_read(struct store_check *check, uint64_t offset, void *ret_data, size_t size)
{
    ssize_t n = store_reader_read(check->reader, offset, ret_data, size);

    return check_bytes(check, offset, ret_data, n);
}

ssize_t store_check_try(struct store_check *check, uint64_t offset, void *ret_data, size_t size)
{
    ssize_t n = store_reader_try(check->reader, offset, ret_data, size);

    return check_bytes(check, offset, ret_data, n);
}

void store_check_wait(struct store_check *check)
{
    store_reader_wait(check->reader);
}

bool store_check_notify(struct store_check *check, void (*ready)(void *object), void *object)
{
    return store_reader_notify(check->reader, ready, object);
}

/* Bytes that are lent again, because the client took only some of them, were hashed before. */
ssize_t store_check_borrow(struct store_check *check, uint64_t offset, size_t size,
                           const void **ret_data)
{
    ssize_t n = store_reader_borrow(check->reader, offset, size < BORROW_MAX ? size : BORROW_MAX,
                                    ret_data);
    uint64_t known = check->hashed - offset;

    if (n <= 0)
        return n;
    if (offset > check->hashed)
        return -EINVAL;
    if (known >= (uint64_t)n)
        return n;
    return check_bytes(check, check->hashed, (const char *)*ret_data + known, n - (ssize_t)known) < 0
               ? -EBADMSG
               : n;
}

void store_check_close(struct store_check *check)
{
    if (!check)
        return;
    store_reader_close(check->reader);
    hasher_free(check->hasher);
    free(check);
}

void store_check_closep(struct store_check **check)
{
    store_check_close(*check);
}
