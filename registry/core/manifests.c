/*
 * Reads manifests, which are blobs that a repository lists as revisions. A manifest that
 * was pushed by its sha512 digest has two revisions. Both name the sha256 digest under which the
 * bytes are stored, because registry:2's garbage collection knows only that one.
 */
#include <errno.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/lists.h"
#include "registry/core/manifest-cache.h"
#include "registry/core/media-type.h"
#include "registry/core/revisions.h"
#include "registry/core/store-private.h"

/* How much a thread that must not wait may read and parse: about 0.1 ms of work. */
enum { READ_AT_ONCE = 64 << 10, PARSED_AT_ONCE = 4 << 10 };

int store_find_revision(struct store *store, const char *name, const struct digest *digest,
                        enum store_waiting waiting, struct digest *ret, struct error *err)
{
    struct key link = key_revision(name, digest, "link");

    return store_outcome(
        link_find(store->storage, &link, digest, store_may_wait(waiting), ret, err));
}

void store_content_done(struct store_content *content)
{
    free(content->bytes);
    *content = (struct store_content){0};
}

/*
 * Finds the media type that a manifest was pushed with: the stored one, or else the one that the
 * bytes show. STORE_WOULD_WAIT.
 */
static int find_type(struct store *store, const char *name, const struct digest *canonical,
                     enum store_waiting waiting, struct store_content *content, struct error *err)
{
    CLEANUP_FREE char *type = NULL;
    struct shown_type shown;
    struct key key;
    size_t size;
    int r = 0;

    if (waiting == STORE_MUST_NOT_WAIT && content->size > PARSED_AT_ONCE &&
        !type_cache_find(store->types, canonical, &shown))
        return STORE_WOULD_WAIT;
    type_cache_sniff(store->types, canonical, content->bytes, content->size, &shown);
    if (!shown.is_stated) {
        key = key_revision(name, canonical, "media-type");
        r = storage_get(store->storage, key.text, MANIFEST_TYPE_SIZE - 1, store_may_wait(waiting),
                        &type, &size, err);
    }
    if (r < 0 || r == STORAGE_WOULD_WAIT)
        return store_outcome(r);
    memcpy(content->media_type, type ? type : shown.name, (type ? size : strlen(shown.name)) + 1);
    return 0;
}

static int check_bytes(const struct digest *canonical, const struct store_content *content,
                       struct error *err)
{
    struct digest found;

    if (digest_of(DIGEST_SHA256, content->bytes, content->size, &found) < 0)
        return error_set_oom(err);
    if (!digest_is_equal(&found, canonical))
        return error_set(
            err, EBADMSG,
            "the manifest sha256:%s is damaged: its bytes do not match its digest; delete it or "
            "push "
            "it again",
            canonical->hex);
    return 0;
}

/* Whether bytes from memory will do for a caller. */
enum bytes_source { BYTES_FROM_ANYWHERE, BYTES_FROM_STORAGE };

/* Reads the bytes of a manifest, which match the digest. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
static int read_bytes(struct store *store, const struct digest *canonical,
                      enum store_waiting waiting, struct store_content *content, struct error *err)
{
    struct key data = key_blob(canonical);
    size_t limit = waiting == STORE_MUST_NOT_WAIT ? READ_AT_ONCE : MANIFEST_SIZE_LIMIT;
    int r = storage_get(store->storage, data.text, limit, store_may_wait(waiting), &content->bytes,
                        &content->size, err);

    if (r == -EFBIG && waiting == STORE_MUST_NOT_WAIT)
        return STORE_WOULD_WAIT;
    if (r != 0)
        return store_outcome(r);
    r = check_bytes(canonical, content, err);
    if (r == 0 && store->manifests)
        manifest_cache_add(store->manifests, canonical, content->bytes, content->size);
    return r;
}

static int get_content(struct store *store, const char *name, const struct digest *canonical,
                       enum bytes_source source, enum store_waiting waiting,
                       struct store_content *ret, struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    int r = 0;

    if (source == BYTES_FROM_STORAGE || !store->manifests ||
        !manifest_cache_find(store->manifests, canonical, &content.bytes, &content.size))
        r = read_bytes(store, canonical, waiting, &content, err);
    if (r == 0)
        r = find_type(store, name, canonical, waiting, &content, err);
    if (r != 0)
        return r;
    *ret = content;
    content = (struct store_content){0};
    return 0;
}

static int get_manifest(struct store *store, const char *name, const struct digest *digest,
                        enum bytes_source source, enum store_waiting waiting,
                        struct store_content *ret, struct error *err)
{
    int64_t begin_ms = monotonic_ms();
    struct digest canonical;
    int r = store_find_revision(store, name, digest, waiting, &canonical, err);

    if (r != 0)
        return r;
    if (store->manifests && digest_is_equal(digest, &canonical))
        manifest_cache_note_link(store->manifests, name, digest, begin_ms);
    return get_content(store, name, &canonical, source, waiting, ret, err);
}

int store_get_manifest(struct store *store, const char *name, const struct digest *digest,
                       enum store_waiting waiting, struct store_content *ret, struct error *err)
{
    return get_manifest(store, name, digest, BYTES_FROM_ANYWHERE, waiting, ret, err);
}

int store_get_tagged_manifest(struct store *store, const char *name, const struct digest *digest,
                              enum store_waiting waiting, struct store_content *ret,
                              struct error *err)
{
    return store->manifests && manifest_cache_has_link(store->manifests, name, digest)
               ? get_content(store, name, digest, BYTES_FROM_ANYWHERE, waiting, ret, err)
               : store_get_manifest(store, name, digest, waiting, ret, err);
}

int store_get_wanted_manifest(struct store *store, const char *name, const struct digest *digest,
                              enum store_waiting waiting, struct store_content *ret,
                              struct error *err)
{
    struct key link = key_revision(name, digest, "link");
    struct storage_object object;
    int r = store_refresh(store, link.text, waiting, &object, err);

    if (r != 0)
        return r;
    return link_is_plain(digest, object.size)
               ? get_content(store, name, digest, BYTES_FROM_STORAGE, waiting, ret, err)
               : get_manifest(store, name, digest, BYTES_FROM_STORAGE, waiting, ret, err);
}

int store_has_manifest(struct store *store, const char *name, const struct digest *digest,
                       enum store_waiting waiting, struct error *err)
{
    struct digest canonical;
    struct storage_object object;
    struct key data;
    int r = store_find_revision(store, name, digest, waiting, &canonical, err);

    if (r != 0)
        return r;
    data = key_blob(&canonical);
    return store_outcome(
        storage_head(store->storage, data.text, store_may_wait(waiting), &object, err));
}

int store_want_manifest(struct store *store, const char *name, const struct digest *digest,
                        enum store_waiting waiting, struct error *err)
{
    struct key link = key_revision(name, digest, "link");
    struct storage_object object;
    int r = store_refresh(store, link.text, waiting, &object, err);

    return r != 0 ? r : store_has_manifest(store, name, digest, waiting, err);
}

int store_parse_manifest(struct store *store, const char *name, const struct digest *digest,
                         struct manifest *ret, struct error *err)
{
    CLEANUP(store_content_done) struct store_content content = {0};
    int r = store_get_manifest(store, name, digest, STORE_MAY_WAIT, &content, err);

    return r != 0 ? r : manifest_parse(content.media_type, content.bytes, content.size, ret, err);
}

int store_list_aliases(struct store *store, const char *name, struct store_digests *ret_aliases,
                       struct store_digests *ret_canonical, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests found = {0};
    CLEANUP(store_digests_done) struct store_digests aliases = {0};
    CLEANUP(store_digests_done) struct store_digests canonicals = {0};
    struct key prefix = key_revisions(name, DIGEST_SHA512);
    int r = store_list_digests(store, &prefix, DIGEST_SHA512, &found, err);

    for (size_t i = 0; r >= 0 && i < found.count; i++) {
        struct digest canonical;

        r = store_find_revision(store, name, &found.items[i], STORE_MAY_WAIT, &canonical, err);
        if (r == 0 && (store_digests_add(&aliases, &found.items[i]) < 0 ||
                       store_digests_add(&canonicals, &canonical) < 0))
            return error_set_oom(err);
    }
    if (r < 0)
        return r;
    *ret_aliases = aliases;
    *ret_canonical = canonicals;
    aliases = canonicals = (struct store_digests){0};
    return 0;
}
