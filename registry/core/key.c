#include "registry/core/key.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Concatenates the pieces. Every request builds several keys, and snprintf() takes ten times as
 * long.
 */
static NULL_TERMINATED struct key join(const char *piece, ...)
{
    struct key key;
    size_t used = 0;
    va_list pieces;

    va_start(pieces, piece);
    for (; piece; piece = va_arg(pieces, const char *)) {
        size_t size = strnlen(piece, KEY_SIZE - 1 - used);

        memcpy(key.text + used, piece, size);
        used += size;
    }
    va_end(pieces);
    key.text[used] = '\0';
    return key;
}

/* The directory of a digest among those of blobs: its first byte. */
struct shard {
    char text[3];
};

static struct shard shard_of(const struct digest *digest)
{
    return (struct shard){{digest->hex[0], digest->hex[1], '\0'}};
}

static const char *algorithm_of(const struct digest *digest)
{
    return digest_algorithm_name(digest->algorithm);
}

struct key key_in_repository(const char *name, const char *path)
{
    return join(KEY_REPOSITORIES "/", name, "/", path, NULL);
}

struct key key_blob(const struct digest *digest)
{
    return join("blobs/", algorithm_of(digest), "/", shard_of(digest).text, "/", digest->hex,
                "/data", NULL);
}

struct key key_blob_prefix(const struct digest *digest)
{
    return join("blobs/", algorithm_of(digest), "/", shard_of(digest).text, "/", digest->hex, "/",
                NULL);
}

struct key key_alias(const struct digest *digest)
{
    return join(KEY_ALIASES, shard_of(digest).text, "/", digest->hex, "/link", NULL);
}

struct key key_layer(const char *name, const struct digest *digest)
{
    return join(KEY_REPOSITORIES "/", name, "/_layers/", algorithm_of(digest), "/", digest->hex,
                "/link", NULL);
}

struct key key_layer_prefix(const char *name, const struct digest *digest)
{
    return join(KEY_REPOSITORIES "/", name, "/_layers/", algorithm_of(digest), "/", digest->hex,
                "/", NULL);
}

struct key key_revision(const char *name, const struct digest *digest, const char *file)
{
    return join(KEY_REPOSITORIES "/", name, "/_manifests/revisions/", algorithm_of(digest), "/",
                digest->hex, "/", file, NULL);
}

struct key key_revisions(const char *name, enum digest_algorithm algorithm)
{
    return join(KEY_REPOSITORIES "/", name, "/_manifests/revisions/",
                digest_algorithm_name(algorithm), "/", NULL);
}

struct key key_layers(const char *name, enum digest_algorithm algorithm)
{
    return join(KEY_REPOSITORIES "/", name, "/_layers/", digest_algorithm_name(algorithm), "/",
                NULL);
}

struct key key_tag_prefix(const char *name, const char *tag)
{
    return join(KEY_REPOSITORIES "/", name, "/_manifests/tags/", tag, "/", NULL);
}

struct key key_tag_current(const char *name, const char *tag)
{
    return join(KEY_REPOSITORIES "/", name, "/_manifests/tags/", tag, "/current/link", NULL);
}

struct key key_tag_index(const char *name, const char *tag, const struct digest *digest,
                         const char *file)
{
    return join(KEY_REPOSITORIES "/", name, "/_manifests/tags/", tag, "/index/",
                algorithm_of(digest), "/", digest->hex, "/", file, NULL);
}

struct key key_subject(const char *name, const struct digest *subject)
{
    return join(KEY_REPOSITORIES "/", name, "/_manifests/referrers/", algorithm_of(subject), "/",
                subject->hex, "/", NULL);
}

struct key key_referrers(const char *name, const struct digest *subject,
                         enum digest_algorithm algorithm)
{
    return join(key_subject(name, subject).text, digest_algorithm_name(algorithm), "/", NULL);
}

struct key key_referrer_prefix(const char *name, const struct digest *subject,
                               const struct digest *digest)
{
    return join(key_referrers(name, subject, digest->algorithm).text, digest->hex, "/", NULL);
}

struct key key_referrer(const char *name, const struct digest *subject, const struct digest *digest)
{
    return join(key_referrer_prefix(name, subject, digest).text, "link", NULL);
}

struct key key_pulled_tag(const char *name, const char *tag)
{
    return join(KEY_REPOSITORIES "/", name, "/" KEY_PULLED "tags/", tag, NULL);
}

struct key key_pulled_manifest(const char *name, const struct digest *digest)
{
    return join(KEY_REPOSITORIES "/", name, "/" KEY_PULLED, algorithm_of(digest), "/", digest->hex,
                NULL);
}

struct key key_pushed_tag(const char *name, const char *tag)
{
    return join(KEY_REPOSITORIES "/", name, "/" KEY_PUSHED "tags/", tag, NULL);
}

struct key key_upload(const char *name, const char *id, const char *file)
{
    return join(KEY_REPOSITORIES "/", name, "/_uploads/", id, "/", file, NULL);
}

bool key_parse_hex(enum digest_algorithm algorithm, const char *hex, struct digest *ret)
{
    char text[DIGEST_TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "%s:%s", digest_algorithm_name(algorithm), hex);

    return size > 0 && (size_t)size < sizeof(text) && digest_parse(text, (size_t)size, ret) == 0;
}

int link_read(struct storage *storage, const struct key *key, enum storage_waiting waiting,
              struct digest *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    int r = storage_get(storage, key->text, DIGEST_TEXT_SIZE, waiting, &text, &size, err);

    if (r != 0)
        return r;
    if (size == 0)
        return STORAGE_NOT_FOUND;
    if (digest_parse(text, size, ret) < 0)
        return error_set(err, EBADMSG,
                         "%s contains no digest; remove it, or push again what it stands for",
                         key->text);
    return 0;
}

int link_read_strictly(struct storage *storage, const struct key *key, struct digest *ret,
                       struct error *err)
{
    struct storage_object object;
    int r;

    do { /* read it again if it was written meanwhile */
        r = link_read(storage, key, STORAGE_MAY_WAIT, ret, err);
        if (r <= 0)
            return r;
        r = storage_head(storage, key->text, STORAGE_MAY_WAIT, &object, err);
    } while (r == 0 && object.size > 0);
    return r == 0 ? LINK_EMPTY : r;
}

bool link_is_plain(const struct digest *digest, uint64_t size)
{
    return digest->algorithm == DIGEST_SHA256 &&
           size ==
               strlen(digest_algorithm_name(DIGEST_SHA256)) + 1 + digest_hex_size(DIGEST_SHA256);
}

int link_find(struct storage *storage, const struct key *key, const struct digest *digest,
              enum storage_waiting waiting, struct digest *ret, struct error *err)
{
    struct storage_object object;
    int r = digest->algorithm == DIGEST_SHA256
                ? storage_head(storage, key->text, waiting, &object, err)
                : 0;

    if (r != 0)
        return r;
    if (digest->algorithm != DIGEST_SHA256 || !link_is_plain(digest, object.size))
        return link_read(storage, key, waiting, ret, err);
    *ret = *digest;
    return 0;
}
