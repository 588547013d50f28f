#include "registry/spec/platform.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "registry/spec/manifest-descriptor.h"

static bool has_member(const struct json *object, const char *name, const char *wanted)
{
    const char *text = json_get_text(json_find(object, name));

    return text && strcmp(text, wanted) == 0;
}

int platform_find(const void *bytes, size_t size, const char *os, const char *architecture,
                  struct digest *ret, struct error *err)
{
    CLEANUP(json_freep) struct json *root = NULL;
    const struct json *item;
    int r = json_parse_public(bytes, size, &root);

    if (r < 0)
        return error_set_errno(err, -r, "cannot read the list of manifests");
    item = json_find(root, "manifests");
    for (item = item ? json_get_first(item) : NULL; item; item = json_get_next(item)) {
        const struct json *platform = json_find(item, "platform");

        if (has_member(platform, "os", os) && has_member(platform, "architecture", architecture))
            return manifest_get_digest(item, "manifests", ret, err);
    }
    return -ENOENT;
}
