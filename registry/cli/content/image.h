#pragma once

#include <stdbool.h>

#include "common/json.h"
#include "registry/core/store.h"
#include "registry/spec/manifest.h"

/* A manifest of the registry, read in order to describe it. */
struct image {
    const char *name; /* of its repository; borrowed */
    struct digest digest;
    struct store_content content;
    struct json *document; /* the parsed content; NULL if it is not JSON */
    bool is_known;         /* whether its type is supported, and manifest is filled */
    struct manifest manifest;
};

/*
 * Returns STORE_NOT_FOUND if the repository does not have the manifest. name is borrowed; free *ret
 * with image_done().
 */
int image_read(struct store *store, const char *name, const struct digest *digest,
               struct image *ret, struct error *err) MUST_USE;

/* Like image_read(), from the content of the manifest, which it takes, also on failure. */
int image_parse(const char *name, const struct digest *digest, struct store_content *content,
                struct image *ret, struct error *err) MUST_USE;
void image_done(struct image *image);

/*
 * Reads the image's configuration, which contains its platform, its command and so on. *ret is
 * owned by the caller, free with json_free(). It is NULL if the manifest has no configuration, or
 * if that is missing, not JSON, or longer than 4 MiB.
 */
int image_read_config(struct store *store, const struct image *image, struct json **ret,
                      struct error *err) MUST_USE;

/*
 * Formats an object with os, architecture and optionally variant as "linux/arm64/v8". Returns false
 * if os or architecture is missing.
 */
enum { PLATFORM_TEXT_SIZE = 100 };
bool image_format_platform(const struct json *object, char ret[PLATFORM_TEXT_SIZE]);

/*
 * The platforms of an image or an index, in its order and without duplicates. Free with
 * platforms_done().
 */
struct platforms {
    char (*items)[PLATFORM_TEXT_SIZE];
    size_t count;
};
int image_list_platforms(struct store *store, const struct image *image, struct platforms *ret,
                         struct error *err) MUST_USE;
void platforms_done(struct platforms *platforms);
