#include "registry/cli/content/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_SIZE_MAX = 4 << 20 };

int image_parse(const char *name, const struct digest *digest, struct store_content *content,
                struct image *ret, struct error *err)
{
    struct image image = {.name = name, .digest = *digest, .content = *content};
    struct error why = {0};
    int r = json_parse_public(content->bytes, content->size, &image.document);

    *content = (struct store_content){0};
    if (r == 0)
        r = manifest_parse(image.content.media_type, image.content.bytes, image.content.size,
                           &image.manifest, &why);
    image.is_known = r == 0;
    if (r == -ENOMEM) {
        image_done(&image);
        return error_set_oom(err);
    }
    *ret = image;
    return 0;
}

int image_read(struct store *store, const char *name, const struct digest *digest,
               struct image *ret, struct error *err)
{
    struct store_content content = {0};
    int r = store_get_manifest(store, name, digest, STORE_MAY_WAIT, &content, err);

    return r != 0 ? r : image_parse(name, digest, &content, ret, err);
}

void image_done(struct image *image)
{
    store_content_done(&image->content);
    json_free(image->document);
    if (image->is_known)
        manifest_done(&image->manifest);
}

static int read_blob(struct store *store, const struct image *image, const struct digest *digest,
                     char **ret, size_t *ret_size, struct error *err)
{
    CLEANUP(store_reader_closep) struct store_reader *reader = NULL;
    CLEANUP_FREE char *bytes = NULL;
    struct store_blob blob;
    ssize_t n = 1;
    int r = store_open_blob(store, image->name, digest, STORE_MAY_WAIT, &blob, &reader, err);

    if (r != 0 || blob.size > CONFIG_SIZE_MAX)
        return r < 0 ? r : STORE_NOT_FOUND;
    bytes = malloc(blob.size + 1);
    if (!bytes)
        return error_set_oom(err);
    for (*ret_size = 0; *ret_size < blob.size && n > 0; *ret_size += (size_t)n) {
        n = store_reader_read(reader, *ret_size, bytes + *ret_size, blob.size - *ret_size);
        if (n < 0)
            return error_set_errno(err, (int)-n, "cannot read the configuration of an image in %s",
                                   image->name);
    }
    *ret = steal_ptr(&bytes);
    return 0;
}

int image_read_config(struct store *store, const struct image *image, struct json **ret,
                      struct error *err)
{
    CLEANUP_FREE char *bytes = NULL;
    size_t size = 0;
    int r;

    *ret = NULL;
    if (!image->is_known || image->manifest.blobs.count == 0 ||
        !json_find(image->document, "config"))
        return 0;
    r = read_blob(store, image, &image->manifest.blobs.items[0].digest, &bytes, &size, err);
    if (r != 0)
        return r < 0 ? r : 0;
    r = json_parse_public(bytes, size, ret);
    return r == -ENOMEM ? error_set_oom(err) : 0;
}

/* --- platforms ------------------------------------------------------------------------------- */

bool image_format_platform(const struct json *object, char ret[PLATFORM_TEXT_SIZE])
{
    const char *os = json_get_text(json_find(object, "os")),
               *variant = json_get_text(json_find(object, "variant"));
    const char *architecture = json_get_text(json_find(object, "architecture"));
    bool has_variant = variant && *variant;

    if (!os || !*os || !architecture || !*architecture)
        return false;
    snprintf(ret, PLATFORM_TEXT_SIZE, "%s/%s%s%s", os, architecture, has_variant ? "/" : "",
             has_variant ? variant : "");
    return true;
}

static int add_platform(struct platforms *platforms, const struct json *object, struct error *err)
{
    char text[PLATFORM_TEXT_SIZE];
    void *grown;

    /* BuildKit marks attestations, which are not images, with the platform unknown/unknown. */
    if (!image_format_platform(object, text) || strcmp(text, "unknown/unknown") == 0)
        return 0;
    for (size_t i = 0; i < platforms->count; i++)
        if (strcmp(platforms->items[i], text) == 0)
            return 0;
    grown = reallocarray(platforms->items, platforms->count + 1, sizeof(*platforms->items));
    if (!grown)
        return error_set_oom(err);
    platforms->items = grown;
    memcpy(platforms->items[platforms->count++], text, sizeof(text));
    return 0;
}

int image_list_platforms(struct store *store, const struct image *image, struct platforms *ret,
                         struct error *err)
{
    CLEANUP(json_freep) struct json *config = NULL;
    const struct json *manifests = image->document ? json_find(image->document, "manifests") : NULL;
    struct platforms platforms = {0};
    int r = 0;

    if (manifests && json_get_type(manifests) == JSON_ARRAY) {
        for (const struct json *item = json_get_first(manifests); r == 0 && item;
             item = json_get_next(item))
            r = add_platform(&platforms, json_find(item, "platform"), err);
    } else {
        r = image_read_config(store, image, &config, err);
        if (r == 0 && config)
            r = add_platform(&platforms, config, err);
    }
    if (r < 0)
        platforms_done(&platforms);
    else
        *ret = platforms;
    return r;
}

void platforms_done(struct platforms *platforms)
{
    free(platforms->items);
    *platforms = (struct platforms){0};
}
