#pragma once

#include <string.h>

#include "registry/spec/manifest.h"
#include "tests/unit/check.h"

/* Manifests for tests, assembled from parts. */

#define HEX_A "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define HEX_B "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HEX_512                                                                                    \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe" \
    "ebbd454d4423643ce80e"                                                                         \
    "2a9ac94fa54ca49f"
#define CONFIG                                                                                     \
    "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:" HEX_A       \
    "\",\"size\":2}"
#define LAYER                                                                                      \
    "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:" HEX_B         \
    "\",\"size\":5}"
#define CHILD                                                                                      \
    "{\"mediaType\":\"" MANIFEST_OCI_IMAGE "\",\"digest\":\"sha256:" HEX_B "\",\"size\":5}"

/* A manifest with or without its type, and with more members. */
#define IMAGE(more) "{\"schemaVersion\":2" more ",\"config\":" CONFIG ",\"layers\":[" LAYER "]}"
#define INDEX(more) "{\"schemaVersion\":2" more ",\"manifests\":[" CHILD "]}"
#define TYPE(type) ",\"mediaType\":\"" type "\""

static inline int parse(const char *content_type, const char *text, struct manifest *ret,
                        struct error *err)
{
    size_t size = strlen(text);
    CLEANUP_FREE char *copy = copy_exactly(text, size);

    return manifest_parse(content_type, copy, size, ret, err);
}

static inline struct manifest read_good(const char *content_type, const char *text)
{
    struct manifest manifest = {0};
    struct error err = {0};

    if (parse(content_type, text, &manifest, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return manifest;
}
