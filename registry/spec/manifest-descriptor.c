/*
 * Parses descriptors, by which a manifest refers to blobs and to other manifests. Garbage
 * collection relies on them, so an unknown form of descriptor is an error and never skipped.
 */
#include "registry/spec/manifest-descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct json *manifest_find(const struct json *object, const char *name)
{
    const struct json *member = json_find(object, name);

    return member && json_get_type(member) != JSON_NULL ? member : NULL;
}

/*
 * Returns the next character in lower case, folded to ASCII like Go's decoder does, and advances
 * *text.
 */
static unsigned char fold_next(const char **text)
{
    unsigned char c = (unsigned char)**text;

    if (strncmp(*text, "\xC5\xBF", 2) == 0) {
        *text += 2;
        return 's';
    }
    if (strncmp(*text, "\xE2\x84\xAA", 3) == 0) {
        *text += 3;
        return 'k';
    }
    ++*text;
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

static bool folds_to(const char *name, const char *known)
{
    while (*name && *known) {
        if (fold_next(&name) != fold_next(&known))
            return false;
    }
    return !*name && !*known;
}

int manifest_check_names(const struct json *object, const char *where, const char *const *known,
                         struct error *err)
{
    uint32_t seen = 0;

    for (const struct json *item = json_get_first(object); item; item = json_get_next(item)) {
        const char *name = json_get_name(item);

        for (size_t i = 0; known[i]; i++) {
            if (!folds_to(name, known[i]))
                continue;
            if (strcmp(name, known[i]) != 0)
                return error_set(err, EINVAL,
                                 "the manifest's %s%s\"%.200s\" differs from \"%s\" only in case",
                                 where, *where ? "." : "", name, known[i]);
            if (seen & 1u << i)
                return error_set(err, EINVAL, "the manifest has the member %s%s%s twice", where,
                                 *where ? "." : "", name);
            seen |= 1u << i;
        }
    }
    return 0;
}

int manifest_get_text(const struct json *object, const char *where, const char *name,
                      const char **ret, struct error *err)
{
    const struct json *member = manifest_find(object, name);
    const char *text = json_get_text(member);

    if (member && !text)
        return error_set(err, EINVAL, "the manifest's %s%s%s is not plain text", where,
                         *where ? "." : "", name);
    *ret = text && *text ? text : NULL;
    return 0;
}

int manifest_get_digest(const struct json *descriptor, const char *where, struct digest *ret,
                        struct error *err)
{
    static const char *const known[] = {"mediaType", "digest", "size", "urls", NULL};
    const char *text;
    int r;

    if (json_get_type(descriptor) != JSON_OBJECT)
        return error_set(err, EINVAL, "the manifest's %s is not a descriptor", where);
    r = manifest_check_names(descriptor, where, known, err);
    if (r == 0)
        r = manifest_get_text(descriptor, where, "digest", &text, err);
    if (r < 0)
        return r;
    if (!text)
        return error_set(err, EINVAL, "the manifest's %s has no digest", where);
    switch (digest_parse(text, strlen(text), ret)) {
    case 0:
        return 0;
    case -ENOTSUP:
        return error_set(err, EINVAL,
                         "the manifest's %s.digest is neither sha256 nor sha512: \"%.200s\"", where,
                         text);
    default:
        return error_set(err, EINVAL, "the manifest's %s.digest is malformed: \"%.200s\"", where,
                         text);
    }
}

static int get_size(const struct json *descriptor, const char *where, uint64_t *ret,
                    struct error *err)
{
    const struct json *member = manifest_find(descriptor, "size");
    int64_t size = 0;

    if (member && (json_get_integer(member, &size) < 0 || size < 0))
        return error_set(err, EINVAL, "the manifest's %s.size is not a number of bytes", where);
    *ret = (uint64_t)size;
    return 0;
}

static bool is_foreign_type(const char *media_type)
{
    static const char foreign[] = "application/vnd.docker.image.rootfs.foreign.";
    static const char nondistributable[] = "application/vnd.oci.image.layer.nondistributable.";

    return strncmp(media_type, foreign, sizeof(foreign) - 1) == 0 ||
           strncmp(media_type, nondistributable, sizeof(nondistributable) - 1) == 0;
}

/* Whether the descriptor has urls, from which a client may fetch the content. */
static int has_urls(const struct json *descriptor, const char *where, bool *ret, struct error *err)
{
    const struct json *urls = manifest_find(descriptor, "urls");

    if (urls && json_get_type(urls) != JSON_ARRAY)
        return error_set(err, EINVAL, "the manifest's %s.urls is not a list", where);
    *ret = urls && json_get_first(urls);
    return 0;
}

static int read_descriptor(const struct json *descriptor, const char *where,
                           struct manifest_descriptor *ret, struct error *err)
{
    struct manifest_descriptor read;
    const char *media_type = NULL;
    int r = manifest_get_digest(descriptor, where, &read.digest, err);

    if (r == 0)
        r = manifest_get_text(descriptor, where, "mediaType", &media_type, err);
    if (r == 0)
        r = get_size(descriptor, where, &read.size, err);
    if (r == 0)
        r = has_urls(descriptor, where, &read.is_elsewhere, err);
    if (r < 0)
        return r;
    read.is_elsewhere = read.is_elsewhere || (media_type && is_foreign_type(media_type));
    read.media_type = strdup(media_type ? media_type : "");
    if (!read.media_type)
        return error_set_oom(err);
    *ret = read;
    return 0;
}

int manifest_reserve(struct manifest_descriptors *list, size_t count, struct error *err)
{
    list->items = calloc(count ? count : 1, sizeof(*list->items));
    return list->items ? 0 : error_set_oom(err);
}

int manifest_add(struct manifest_descriptors *list, const struct json *descriptor,
                 const char *where, struct error *err)
{
    int r = read_descriptor(descriptor, where, &list->items[list->count], err);

    if (r == 0)
        list->count++;
    return r;
}

int manifest_add_each(struct manifest_descriptors *list, const struct json *array, const char *name,
                      struct error *err)
{
    const struct json *item = array ? json_get_first(array) : NULL;
    char where[48];
    int r = 0;

    for (size_t i = 0; r == 0 && item; i++, item = json_get_next(item)) {
        snprintf(where, sizeof(where), "%s[%zu]", name, i);
        r = manifest_add(list, item, where, err);
    }
    return r;
}

void manifest_descriptors_done(struct manifest_descriptors *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].media_type);
    free(list->items);
    *list = (struct manifest_descriptors){0};
}
