#include "registry/core/key.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static PRINTF_LIKE(1, 2) struct key format(const char *text, ...)
{
    struct key key;
    va_list args;

    va_start(args, text);
    vsnprintf(key.text, sizeof(key.text), text, args);
    va_end(args);
    return key;
}

static const char *algorithm_of(const struct digest *digest)
{
    return digest_algorithm_name(digest->algorithm);
}

struct key key_in_repository(const char *name, const char *path)
{
    return format(KEY_REPOSITORIES "/%s/%s", name, path);
}

struct key key_blob(const struct digest *digest)
{
    return format("blobs/%s/%.2s/%s/data", algorithm_of(digest), digest->hex, digest->hex);
}

struct key key_blob_prefix(const struct digest *digest)
{
    return format("blobs/%s/%.2s/%s/", algorithm_of(digest), digest->hex, digest->hex);
}

struct key key_alias(const struct digest *digest)
{
    return format(KEY_ALIASES "%.2s/%s/link", digest->hex, digest->hex);
}

struct key key_layer(const char *name, const struct digest *digest)
{
    return format(KEY_REPOSITORIES "/%s/_layers/%s/%s/link", name, algorithm_of(digest), digest->hex);
}

struct key key_layer_prefix(const char *name, const struct digest *digest)
{
    return format(KEY_REPOSITORIES "/%s/_layers/%s/%s/", name, algorithm_of(digest), digest->hex);
}

struct key key_revision(const char *name, const struct digest *digest, const char *file)
{
    return format(KEY_REPOSITORIES "/%s/_manifests/revisions/%s/%s/%s", name, algorithm_of(digest), digest->hex,
                  file);
}

struct key key_revisions(const char *name, enum digest_algorithm algorithm)
{
    return format(KEY_REPOSITORIES "/%s/_manifests/revisions/%s/", name, digest_algorithm_name(algorithm));
}

struct key key_layers(const char *name, enum digest_algorithm algorithm)
{
    return format(KEY_REPOSITORIES "/%s/_layers/%s/", name, digest_algorithm_name(algorithm));
}

struct key key_tag_prefix(const char *name, const char *tag)
{
    return format(KEY_REPOSITORIES "/%s/_manifests/tags/%s/", name, tag);
}

struct key key_tag_current(const char *name, const char *tag)
{
    return format(KEY_REPOSITORIES "/%s/_manifests/tags/%s/current/link", name, tag);
}

struct key key_tag_index(const char *name, const char *tag, const struct digest *digest, const char *file)
{
    return format(KEY_REPOSITORIES "/%s/_manifests/tags/%s/index/%s/%s/%s", name, tag, algorithm_of(digest),
                  digest->hex, file);
}

struct key key_subject(const char *name, const struct digest *subject)
{
    return format(KEY_REPOSITORIES "/%s/_manifests/referrers/%s/%s/", name, algorithm_of(subject), subject->hex);
}

struct key key_referrers(const char *name, const struct digest *subject, enum digest_algorithm algorithm)
{
    return format("%s%s/", key_subject(name, subject).text, digest_algorithm_name(algorithm));
}

struct key key_referrer_prefix(const char *name, const struct digest *subject, const struct digest *digest)
{
    return format("%s%s/", key_referrers(name, subject, digest->algorithm).text, digest->hex);
}

struct key key_referrer(const char *name, const struct digest *subject, const struct digest *digest)
{
    return format("%slink", key_referrer_prefix(name, subject, digest).text);
}

struct key key_upload(const char *name, const char *id, const char *file)
{
    return format(KEY_REPOSITORIES "/%s/_uploads/%s/%s", name, id, file);
}

bool key_parse_hex(enum digest_algorithm algorithm, const char *hex, struct digest *ret)
{
    char text[DIGEST_TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "%s:%s", digest_algorithm_name(algorithm), hex);

    return size > 0 && (size_t)size < sizeof(text) && digest_parse(text, (size_t)size, ret) == 0;
}

int link_read(struct storage *storage, const struct key *key, enum storage_waiting waiting, struct digest *ret,
              struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    int r = storage_get(storage, key->text, DIGEST_TEXT_SIZE, waiting, &text, &size, err);

    if (r != 0)
        return r;
    if (size == 0)
        return STORAGE_NOT_FOUND;
    if (digest_parse(text, size, ret) < 0)
        return error_set(err, EBADMSG, "%s holds no digest; remove it, or push again what it stands for", key->text);
    return 0;
}

int link_read_strictly(struct storage *storage, const struct key *key, struct digest *ret, struct error *err)
{
    struct storage_object object;
    int r;

    do { /* a link that was written since it was read is read again */
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
           size == strlen(digest_algorithm_name(DIGEST_SHA256)) + 1 + digest_hex_size(DIGEST_SHA256);
}

int link_find(struct storage *storage, const struct key *key, const struct digest *digest,
              enum storage_waiting waiting, struct digest *ret, struct error *err)
{
    struct storage_object object;
    int r = digest->algorithm == DIGEST_SHA256 ? storage_head(storage, key->text, waiting, &object, err) : 0;

    if (r != 0)
        return r;
    if (digest->algorithm != DIGEST_SHA256 || !link_is_plain(digest, object.size))
        return link_read(storage, key, waiting, ret, err);
    *ret = *digest;
    return 0;
}
