/*
 * Manifests: an accepted manifest contains nothing harmful, and is accepted again with the same
 * result under its detected type.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/macros.h"
#include "registry/spec/manifest.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_digest(const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    struct digest again;

    digest_format(digest, text);
    REQUIRE(digest_parse(text, strlen(text), &again) == 0 && digest_is_equal(digest, &again));
}

static void check_each(const struct manifest_descriptors *descriptors)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        check_digest(&descriptors->items[i].digest);
        REQUIRE(descriptors->items[i].media_type && descriptors->items[i].size <= INT64_MAX);
    }
}

static void check_annotations(const char *text)
{
    CLEANUP(json_freep) struct json *document = NULL;

    REQUIRE(json_parse_public(text, strlen(text), &document) == 0);
    REQUIRE(json_get_type(document) == JSON_OBJECT && json_get_first(document));
    REQUIRE(json_format(document, NULL) == strlen(text));
}

static void check(const struct manifest *manifest)
{
    REQUIRE(manifest_is_supported_type(manifest->media_type));
    REQUIRE(manifest->blobs.count == 0 || manifest->manifests.count == 0);
    check_each(&manifest->blobs);
    check_each(&manifest->manifests);
    if (manifest->has_subject)
        check_digest(&manifest->subject);
    if (manifest->annotations)
        check_annotations(manifest->annotations);
}

static bool parse(const char *type, const uint8_t *data, size_t size)
{
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error err = {0};
    int r = manifest_parse(type, data, size, &manifest, &err);

    REQUIRE(r == 0 || r == -EBADMSG || r == -ENOTSUP || r == -EINVAL);
    if (r < 0) {
        REQUIRE(err.code == -r && *err.text);
        return false;
    }
    check(&manifest);
    /*
     * A manifest that is detected as docker's has this type in it, so the declared type does not
     * matter.
     */
    if (!type)
        REQUIRE(parse(manifest.media_type, data, size));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_was_accepted = parse(NULL, data, size);
    parse(MANIFEST_OCI_IMAGE, data, size);
    parse(MANIFEST_OCI_INDEX "; charset=utf-8", data, size);
    parse(MANIFEST_OCI_ARTIFACT, data, size);
    parse(MANIFEST_DOCKER_IMAGE, data, size);
    parse(MANIFEST_DOCKER_LIST, data, size);
    return 0;
}
