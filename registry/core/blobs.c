/*
 * Finds, opens, mounts and unlinks blobs. Their bytes are stored once for all repositories, and
 * each repository that has the blob contains a link to them. A blob exists only if both exist: a
 * delete removes only the link, and garbage collection may remove only the bytes.
 */
#include <errno.h>
#include <string.h>

#include "registry/core/blob-bytes.h"
#include "registry/core/checked-blobs.h"
#include "registry/core/store-private.h"

enum { CHECK_SIZE = 256 << 10 };

struct store_reader {
    struct storage_reader reader;
};

/* A number that changes when the blob's bytes are replaced. */
static uint64_t identity_of(const struct storage_object *object)
{
    /* FNV-1a is enough: nobody gains from a collision */
    uint64_t identity = 14695981039346656037u;

    for (size_t i = 0; i < ARRAY_SIZE(object->version.words); i++)
        identity = (identity ^ object->version.words[i]) * 1099511628211u;
    return identity;
}

static void describe(const struct digest *canonical, const struct storage_object *object,
                     struct store_blob *ret)
{
    *ret = (struct store_blob){.canonical = *canonical,
                               .size = object->size,
                               .identity = identity_of(object),
                               .version = object->version};
}

int store_find_blob(struct store *store, const char *name, const struct digest *digest,
                    enum store_waiting waiting, struct store_blob *ret, struct error *err)
{
    const enum storage_waiting may_wait = store_may_wait(waiting);
    struct key link = key_layer(name, digest), data;
    struct storage_object object;
    struct digest canonical;
    int r = link_find(store->storage, &link, digest, may_wait, &canonical, err);

    if (r != 0)
        return store_outcome(r);
    data = key_blob(&canonical);
    r = storage_head(store->storage, data.text, may_wait, &object, err);
    if (r != 0)
        return store_outcome(r);
    describe(&canonical, &object, ret);
    return 0;
}

void store_note_checked(struct store *store, const struct digest *canonical)
{
    struct key key = key_blob(canonical);
    struct storage_object object;

    if (!storage_is_remote(store->storage) &&
        storage_head(store->storage, key.text, STORAGE_MAY_WAIT, &object, NULL) == 0)
        checked_blobs_add(store->checked, canonical, identity_of(&object));
}

int store_refresh(struct store *store, const char *key, enum store_waiting waiting,
                  struct storage_object *ret, struct error *err)
{
    enum storage_waiting may_wait =
        waiting == STORE_MAY_WAIT ? STORAGE_MAY_WAIT : STORAGE_MUST_NOT_WAIT;
    int r = storage_refresh(store->storage, key, may_wait, ret, err);

    if (r == STORAGE_WOULD_WAIT && waiting == STORE_MAY_WAIT)
        return error_set(err, EAGAIN,
                         "garbage collection does not release its lock on the storage");
    return store_outcome(r);
}

/*
 * Refreshes the bytes before it reads the link, because garbage collection keeps links to refreshed
 * bytes. For a sha512 digest, the link says where the bytes are; so it is read before and again
 * after the refresh.
 */
int store_want_blob(struct store *store, const char *name, const struct digest *digest,
                    enum store_waiting waiting, struct store_blob *ret, struct error *err)
{
    struct store_blob blob = {.canonical = *digest};
    struct storage_object object;
    struct digest canonical;
    struct key link = key_layer(name, digest), data;
    int r = digest->algorithm == DIGEST_SHA256
                ? 0
                : store_find_blob(store, name, digest, waiting, &blob, err);

    if (r != 0)
        return r;
    data = key_blob(&blob.canonical);
    r = store_refresh(store, data.text, waiting, &object, err);
    if (r != 0)
        return r;
    r = link_find(store->storage, &link, digest, store_may_wait(waiting), &canonical, err);
    if (r != 0)
        return store_outcome(r);
    if (!digest_is_equal(&canonical, &blob.canonical))
        return store_find_blob(store, name, digest, waiting, ret, err);
    describe(&canonical, &object, ret);
    return 0;
}

int store_get_address(struct store *store, const struct store_blob *blob, const char *method,
                      char **ret, struct error *err)
{
    struct key key = key_blob(&blob->canonical);

    return store_outcome(
        storage_get_address(store->storage, key.text, method, STORE_ADDRESS_S, ret, err));
}

int store_open_bytes(struct store *store, const struct digest *canonical,
                     enum store_waiting waiting, struct store_blob *ret_blob,
                     struct store_reader **ret, struct error *err)
{
    struct key key = key_blob(canonical);
    struct storage_object object;
    struct storage_reader *reader;
    int r = storage_open(store->storage, key.text, store_may_wait(waiting), &reader, &object, err);

    if (r != 0)
        return store_outcome(r);
    describe(canonical, &object, ret_blob);
    *ret = (struct store_reader *)reader;
    return 0;
}

/* The same for a client, who may get the bytes of a cache. */
static int open_for_client(struct store *store, const struct digest *canonical,
                           enum storage_waiting waiting, struct store_blob *ret_blob,
                           struct store_reader **ret, struct error *err)
{
    struct key key = key_blob(canonical);
    struct storage_object object;
    struct storage_reader *reader;
    int r = storage_open_copy(store->storage, key.text, waiting, &reader, &object, err);

    if (r != 0)
        return store_outcome(r);
    describe(canonical, &object, ret_blob);
    ret_blob->is_verified = object.is_verified;
    *ret = (struct store_reader *)reader;
    return 0;
}

/* Reads the link, and then opens the bytes of the digest that it contains. */
static int open_by_link(struct store *store, const struct key *link, const struct digest *digest,
                        enum store_waiting waiting, struct store_blob *ret_blob,
                        struct store_reader **ret, struct error *err)
{
    struct digest canonical;
    int r = link_find(store->storage, link, digest, store_may_wait(waiting), &canonical, err);

    return r != 0 ? store_outcome(r)
                  : open_for_client(store, &canonical, store_may_wait(waiting), ret_blob, ret, err);
}

/*
 * A sha256 digest says where the bytes are, so the link and the bytes can be asked for at once. What
 * is in a link of another size than usual is read.
 */
static int open_sha256(struct store *store, const struct key *link, const struct digest *digest,
                       enum store_waiting waiting, struct store_blob *ret_blob,
                       struct store_reader **ret, struct error *err)
{
    struct key data = key_blob(digest);
    struct storage_object object, link_object = {.size = UINT64_MAX};
    struct storage_reader *reader = NULL;
    int r = storage_open_linked(store->storage, link->text, data.text, store_may_wait(waiting),
                                &link_object, &reader, &object, err);

    if (r >= 0 && link_object.size != UINT64_MAX && !link_is_plain(digest, link_object.size)) {
        storage_reader_close(reader);
        return open_by_link(store, link, digest, waiting, ret_blob, ret, err);
    }
    if (r != 0)
        return store_outcome(r);
    describe(digest, &object, ret_blob);
    ret_blob->is_verified = object.is_verified;
    *ret = (struct store_reader *)reader;
    return 0;
}

int store_open_blob(struct store *store, const char *name, const struct digest *digest,
                    enum store_waiting waiting, struct store_blob *ret_blob,
                    struct store_reader **ret, struct error *err)
{
    struct key link = key_layer(name, digest);

    return digest->algorithm == DIGEST_SHA256
               ? open_sha256(store, &link, digest, waiting, ret_blob, ret, err)
               : open_by_link(store, &link, digest, waiting, ret_blob, ret, err);
}

ssize_t store_reader_read(struct store_reader *reader, uint64_t offset, void *ret_data, size_t size)
{
    return storage_reader_read(&reader->reader, offset, ret_data, size);
}

ssize_t store_reader_try(struct store_reader *reader, uint64_t offset, void *ret_data, size_t size)
{
    return storage_reader_try(&reader->reader, offset, ret_data, size);
}

void store_reader_wait(struct store_reader *reader)
{
    storage_reader_wait(&reader->reader);
}

bool store_reader_notify(struct store_reader *reader, void (*ready)(void *object), void *object)
{
    return storage_reader_notify(&reader->reader, ready, object);
}

ssize_t store_reader_borrow(struct store_reader *reader, uint64_t offset, size_t size,
                            const void **ret_data)
{
    return storage_reader_borrow(&reader->reader, offset, size, ret_data);
}

int store_reader_get_fd(struct store_reader *reader)
{
    return storage_reader_get_fd(&reader->reader);
}

void store_reader_close(struct store_reader *reader)
{
    if (reader)
        storage_reader_close(&reader->reader);
}

void store_reader_closep(struct store_reader **reader)
{
    store_reader_close(*reader);
}

/* --- the bytes of a digest, in any repository ------------------------------------------------ */

/* Takes ownership of reader. 0, STORE_DIGEST_MISMATCH, or negative. */
static int compare_with_digest(struct store *store, const struct store_blob *blob,
                               struct store_reader *reader, struct error *err)
{
    CLEANUP(store_check_closep) struct store_check *check = NULL;
    CLEANUP_FREE char *buffer = malloc(CHECK_SIZE);
    ssize_t n = 1;
    int r = store_check_start(store, blob, reader, &check, err);

    if (r < 0 || !buffer)
        return r == -EBADMSG ? STORE_DIGEST_MISMATCH : r < 0 ? r : error_set_oom(err);
    for (uint64_t offset = 0; n > 0; offset += (uint64_t)n)
        n = store_check_read(check, offset, buffer, CHECK_SIZE);
    if (n == -EBADMSG)
        return STORE_DIGEST_MISMATCH;
    return n < 0 ? error_set_errno(err, (int)-n, "cannot read the blob sha256:%s",
                                   blob->canonical.hex)
                 : 0;
}

int store_check_existing(struct store *store, const struct digest *canonical, uint64_t size,
                         struct store_blob *ret, struct error *err)
{
    CLEANUP(store_reader_closep) struct store_reader *reader = NULL;
    int r = store_open_bytes(store, canonical, STORE_MAY_WAIT, ret, &reader, err);

    if (r != 0)
        return r;
    if (ret->size != size)
        return STORE_DIGEST_MISMATCH;
    return store_is_checked(store, ret) ? 0
                                        : compare_with_digest(store, ret, steal_ptr(&reader), err);
}

/* --- mounting -------------------------------------------------------------------------------- */

static int find_anywhere(struct store *store, const struct digest *digest, struct store_blob *ret,
                         struct error *err)
{
    struct digest canonical = *digest;
    struct key alias = key_alias(digest), data;
    struct storage_object object;
    int r = digest->algorithm == DIGEST_SHA256
                ? 0
                : link_read(store->storage, &alias, STORAGE_MAY_WAIT, &canonical, err);

    if (r != 0)
        return store_outcome(r);
    data = key_blob(&canonical);
    r = storage_head(store->storage, data.text, STORAGE_MAY_WAIT, &object, err);
    if (r != 0)
        return store_outcome(r);
    describe(&canonical, &object, ret);
    return 0;
}

/*
 * One write refreshes the bytes and puts the links, so that garbage collection cannot run in
 * between.
 */
static int write_links(struct store *store, const char *name, const struct digest *digest,
                       const struct digest *canonical, struct error *err)
{
    struct key data = key_blob(canonical), link = key_layer(name, canonical),
               alias = key_layer(name, digest);
    struct storage_step steps[3] = {{.kind = STORAGE_KEEP, .key = data.text}};
    char text[DIGEST_TEXT_SIZE];

    digest_format(canonical, text);
    steps[1] = (struct storage_step){
        .kind = STORAGE_PUT, .key = link.text, .data = text, .size = strlen(text)};
    steps[2] = steps[1];
    steps[2].key = alias.text;
    return store_outcome(
        storage_write(store->storage, steps, digest_is_equal(digest, canonical) ? 2 : 3, err));
}

int store_mount_blob(struct store *store, const char *to_name, const struct digest *digest,
                     const char *from_name, const char *actor, struct error *err)
{
    struct store_blob blob;
    int r = from_name ? store_find_blob(store, from_name, digest, STORE_MAY_WAIT, &blob, err)
                      : find_anywhere(store, digest, &blob, err);

    if (r == 0)
        r = quota_charge(store, to_name, &blob.canonical, blob.size, err);
    if (r == 0)
        r = write_links(store, to_name, digest, &blob.canonical, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_MOUNT_BLOB,
                                                  .repository = to_name,
                                                  .digest = digest,
                                                  .size = blob.size,
                                                  .source = from_name,
                                                  .actor = actor});
    return r;
}

int store_unlink_blob(struct store *store, const char *name, const struct digest *digest,
                      const char *actor, struct error *err)
{
    struct key prefix = key_layer_prefix(name, digest);
    const char *keys[] = {prefix.text};
    struct store_blob blob;
    int r = store_find_blob(store, name, digest, STORE_MAY_WAIT, &blob, err);

    if (r == 0)
        r = storage_remove(store->storage, keys, 1, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_DELETE_BLOB,
                                                  .repository = name,
                                                  .digest = digest,
                                                  .actor = actor});
    return r;
}
