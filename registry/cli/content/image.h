#pragma once

#include <stdbool.h>

#include "common/json.h"
#include "registry/core/store.h"
#include "registry/spec/manifest.h"

/* A manifest of the registry, read for people. */
struct image {
    const char *name; /* of its repository; borrowed */
    struct digest digest;
    struct store_content content;
    struct json *document; /* of content; NULL if it is no JSON */
    bool is_known; /* manifest is filled; if not, only other programs understand this type */
    struct manifest manifest;
};

/* STORE_NOT_FOUND if the repository has no such manifest. name stays the caller's; free *ret with
 * image_done(). */
int image_read(struct store *store, const char *name, const struct digest *digest,
               struct image *ret, struct error *err) MUST_USE;
void image_done(struct image *image);

/*
 * The image's configuration, which says its platform, its command and so on. *ret is the caller's,
 * free with json_free(); NULL if the manifest has none, or if it is missing, not JSON, or longer
 * than 4 MiB.
 */
int image_read_config(struct store *store, const struct image *image, struct json **ret,
                      struct error *err) MUST_USE;

/* "linux/arm64/v8", of an object with os, architecture and perhaps variant; false if it has not
 * both of the first. */
enum { PLATFORM_TEXT_SIZE = 100 };
bool image_format_platform(const struct json *object, char ret[PLATFORM_TEXT_SIZE]);

/* The platforms of an image or an index, in its order, each once. Free with platforms_done(). */
struct platforms {
    char (*items)[PLATFORM_TEXT_SIZE];
    size_t count;
};
int image_list_platforms(struct store *store, const struct image *image, struct platforms *ret,
                         struct error *err) MUST_USE;
void platforms_done(struct platforms *platforms);
