/*
 * Blobs: their bytes lie once for all repositories, and a link in a repository says that it has them.
 * Both must be there, for either may be removed by itself (the link by a delete, the bytes by the
 * collection of garbage).
 */
#include <errno.h>
#include <string.h>

#include "registry/core/store-private.h"

struct store_reader {
    struct driver_reader reader;
};

int store_find_blob(struct store *store, const char *name, const struct digest *digest, struct store_blob *ret,
                    struct error *err)
{
    struct key link = key_layer(name, digest), data;
    struct driver_stat st;
    struct digest canonical;
    int r = link_find(store->driver, &link, digest, &canonical, err);

    if (r != 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    data = key_blob(&canonical);
    r = store->driver->type->stat(store->driver, data.text, &st, err);
    if (r != 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    *ret = (struct store_blob){.canonical = canonical, .size = st.size, .identity = st.identity};
    return 0;
}

/* The collection holds its lock for much less than a millisecond at a time, unless it hangs. */
enum { PATIENCE_MS = 2000 };

int store_want(struct store *store, const char *key, enum store_waiting waiting, struct driver_stat *ret,
               struct error *err)
{
    unsigned patience_ms = waiting == STORE_MAY_WAIT ? PATIENCE_MS : 0;
    int r = store->driver->type->want(store->driver, key, patience_ms, ret, err);

    if (r == -EAGAIN && waiting != STORE_MAY_WAIT)
        return STORE_WOULD_WAIT;
    return r > 0 ? STORE_NOT_FOUND : r;
}

/*
 * The bytes are wanted before the link is read, for the collection takes no link to bytes that are wanted. Those of a
 * sha512 are found by the link; then it is read again.
 */
int store_want_blob(struct store *store, const char *name, const struct digest *digest, enum store_waiting waiting,
                    struct store_blob *ret, struct error *err)
{
    struct store_blob blob = {.canonical = *digest};
    struct driver_stat st;
    struct digest canonical;
    struct key link = key_layer(name, digest), data;
    int r = digest->algorithm == DIGEST_SHA256 ? 0 : store_find_blob(store, name, digest, &blob, err);

    if (r != 0)
        return r;
    data = key_blob(&blob.canonical);
    r = store_want(store, data.text, waiting, &st, err);
    if (r != 0)
        return r;
    r = link_find(store->driver, &link, digest, &canonical, err);
    if (r != 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    if (!digest_is_equal(&canonical, &blob.canonical))
        return store_find_blob(store, name, digest, ret, err);
    *ret = (struct store_blob){.canonical = canonical, .size = st.size};
    return 0;
}

int store_open_blob(struct store *store, const struct store_blob *blob, struct store_reader **ret, struct error *err)
{
    struct key key = key_blob(&blob->canonical);
    struct driver_reader *reader;
    int r = store->driver->type->open(store->driver, key.text, &reader, err);

    if (r != 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    *ret = (struct store_reader *)reader;
    return 0;
}

ssize_t store_reader_read(struct store_reader *reader, uint64_t offset, void *ret_data, size_t size)
{
    return reader->reader.type->reader_read(&reader->reader, offset, ret_data, size);
}

int store_reader_get_fd(struct store_reader *reader)
{
    return reader->reader.type->reader_get_fd(&reader->reader);
}

void store_reader_close(struct store_reader *reader)
{
    if (reader)
        reader->reader.type->reader_close(&reader->reader);
}

/* Where the bytes lie that are to be mounted. */
static int find_anywhere(struct store *store, const struct digest *digest, struct store_blob *ret, struct error *err)
{
    struct digest canonical = *digest;
    struct key alias = key_alias(digest), data;
    struct driver_stat st;
    int r = digest->algorithm == DIGEST_SHA256 ? 0 : link_read(store->driver, &alias, &canonical, err);

    if (r != 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    data = key_blob(&canonical);
    r = store_want(store, data.text, STORE_MAY_WAIT, &st, err);
    if (r != 0)
        return r;
    *ret = (struct store_blob){.canonical = canonical, .size = st.size, .identity = st.identity};
    return 0;
}

int store_mount_blob(struct store *store, const char *to_name, const struct digest *digest, const char *from_name,
                     const char *actor, struct error *err)
{
    struct driver_change changes[2] = {{0}};
    char text[DIGEST_TEXT_SIZE];
    struct store_blob blob;
    struct key canonical, alias;
    int r = from_name ? store_want_blob(store, from_name, digest, STORE_MAY_WAIT, &blob, err)
                      : find_anywhere(store, digest, &blob, err);

    if (r != 0)
        return r;
    canonical = key_layer(to_name, &blob.canonical);
    alias = key_layer(to_name, digest);
    digest_format(&blob.canonical, text);
    changes[0] = (struct driver_change){.kind = DRIVER_PUT, .key = canonical.text, .data = text,
                                        .size = strlen(text)};
    changes[1] = changes[0];
    changes[1].key = alias.text;
    r = store->driver->type->publish(store->driver, changes, digest_is_equal(digest, &blob.canonical) ? 1 : 2, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_MOUNT_BLOB, .repository = to_name, .digest = digest,
                                                  .size = blob.size, .source = from_name, .actor = actor});
    return r;
}

int store_unlink_blob(struct store *store, const char *name, const struct digest *digest, const char *actor,
                      struct error *err)
{
    struct key folder = key_layer_folder(name, digest);
    const char *keys[] = {folder.text};
    struct store_blob blob;
    int r = store_find_blob(store, name, digest, &blob, err);

    if (r == 0)
        r = store->driver->type->remove(store->driver, keys, 1, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_DELETE_BLOB, .repository = name, .digest = digest,
                                                  .actor = actor});
    return r;
}
