/* Invalid manifests, and manifests of extreme size or depth. */
#include "registry/spec/manifest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/registry-spec/manifest-sample.h"

static const struct {
    const char *type, *text;
    int expected;
    const char *says;
} faults[] = {
    {MANIFEST_OCI_IMAGE, "", -EBADMSG, "not JSON"},
    {MANIFEST_OCI_IMAGE, "{", -EBADMSG, "not JSON"},
    {MANIFEST_OCI_IMAGE, IMAGE("") "x", -EBADMSG, "not JSON"},
    {MANIFEST_OCI_IMAGE, IMAGE("") IMAGE(""), -EBADMSG, "not JSON"},
    {MANIFEST_OCI_IMAGE, "\xEF\xBB\xBF" IMAGE(""), -EBADMSG, "not JSON"},
    {MANIFEST_OCI_IMAGE, "[]", -EINVAL, "object"},
    {MANIFEST_OCI_IMAGE, "null", -EINVAL, "object"},
    {MANIFEST_OCI_IMAGE, "\"x\"", -EINVAL, "object"},

    {"text/plain", IMAGE(""), -ENOTSUP, "text/plain"},
    {"application/json", IMAGE(""), -ENOTSUP, "application/json"},
    {";", IMAGE(""), -ENOTSUP, "Content-Type"},
    {"application/vnd.docker.distribution.manifest.v1+prettyjws", "{}", -ENOTSUP, "schema 1"},
    {"application/vnd.docker.distribution.manifest.v1+json", "{}", -ENOTSUP, "schema 1"},
    {NULL, "{\"schemaVersion\":1,\"name\":\"a\",\"fsLayers\":[]}", -ENOTSUP, "schema 1"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":1,\"config\":" CONFIG "}", -ENOTSUP, "schema 1"},
    {NULL, IMAGE(TYPE("a/b")), -ENOTSUP, "a/b"},
    {NULL, "{\"schemaVersion\":2}", -EINVAL, "neither"},
    {MANIFEST_OCI_IMAGE, IMAGE(TYPE(MANIFEST_DOCKER_IMAGE)), -EINVAL, "Content-Type"},
    {MANIFEST_DOCKER_IMAGE, IMAGE(TYPE(MANIFEST_OCI_IMAGE)), -EINVAL, "Content-Type"},
    {MANIFEST_OCI_INDEX, INDEX(TYPE(MANIFEST_DOCKER_LIST)), -EINVAL, "Content-Type"},
    {MANIFEST_DOCKER_IMAGE, IMAGE(""), -EINVAL, "mediaType is missing"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"mediaType\":1"), -EINVAL, "mediaType"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"mediaType\":\"\\u0000\""), -EINVAL, "mediaType"},

    {MANIFEST_OCI_IMAGE, "{\"config\":" CONFIG ",\"layers\":[]}", -EINVAL, "schemaVersion"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":3,\"config\":" CONFIG "}", -EINVAL, "schemaVersion"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":\"2\",\"config\":" CONFIG "}", -EINVAL,
     "schemaVersion"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2.5,\"config\":" CONFIG "}", -EINVAL, "schemaVersion"},

    {MANIFEST_OCI_IMAGE, IMAGE(",\"Layers\":[]"), -EINVAL,
     "\"Layers\" differs from \"layers\" only in case"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"layer\xC5\xBF\":[]"), -EINVAL,
     "differs from \"layers\" only in case"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"\\u017fubject\":{}"), -EINVAL,
     "differs from \"subject\" only in case"},
    {MANIFEST_OCI_INDEX, INDEX(",\"Config\":{}"), -EINVAL, "differs from \"config\" only in case"},
    {MANIFEST_OCI_INDEX, INDEX(",\"MediaType\":\"x/y\""), -EINVAL,
     "differs from \"mediaType\" only in case"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"layers\":[]"), -EINVAL, "has the member layers twice"},
    {MANIFEST_OCI_IMAGE,
     "{\"schemaVersion\":2,\"config\":{\"digest\":1,\"Digest\":2},\"layers\":[]}", -EINVAL,
     "config.\"Digest\" differs from \"digest\" only in case"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":{\"size\":1,\"size\":2},\"layers\":[]}",
     -EINVAL, "config.size twice"},

    {MANIFEST_OCI_IMAGE, IMAGE(",\"manifests\":[]"), -EINVAL, "manifests"},
    {NULL, IMAGE(",\"manifests\":[]"), -EINVAL, "layers"},
    {MANIFEST_DOCKER_IMAGE, IMAGE(TYPE(MANIFEST_DOCKER_IMAGE) ",\"manifests\":[" CHILD "]"),
     -EINVAL, "manifests"},
    {MANIFEST_OCI_INDEX, INDEX(",\"layers\":[]"), -EINVAL, "layers"},
    {MANIFEST_OCI_INDEX, INDEX(",\"config\":{}"), -EINVAL, "config"},
    {MANIFEST_OCI_ARTIFACT, "{\"manifests\":[]}", -EINVAL, "manifests"},

    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"layers\":[]}", -EINVAL, "no config"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":[],\"layers\":[]}", -EINVAL, "config"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}", -EINVAL,
     "config has no digest"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}", -EINVAL,
     "layers is not a list"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER ",1]}",
     -EINVAL, "layers[1]"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[null]}", -EINVAL,
     "layers[0]"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":\"x\"}", -EINVAL,
     "manifests is not a list"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":1}]}", -EINVAL,
     "manifests[0].digest"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:abc\"}]}",
     -EINVAL, "malformed"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"md5:abc\"}]}", -EINVAL,
     "neither sha256"},
    {MANIFEST_OCI_INDEX,
     "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:" HEX_A "\\u0000\"}]}", -EINVAL,
     "manifests[0].digest"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":-1}]}", -EINVAL,
     "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":\"1\"}]}",
     -EINVAL, "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":1.5}]}", -EINVAL,
     "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":1e99}]}",
     -EINVAL, "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"urls\":\"x\"}]}",
     -EINVAL, "blobs[0].urls"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"mediaType\":{}}]}",
     -EINVAL, "blobs[0].mediaType"},

    {MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":\"x\""), -EINVAL, "subject"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":{}"), -EINVAL, "subject has no digest"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":{\"digest\":\"x\"}"), -EINVAL, "subject.digest"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"artifactType\":[]"), -EINVAL, "artifactType"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"annotations\":[]"), -EINVAL, "annotations"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"annotations\":{\"a\":\"b\",\"c\":1}"), -EINVAL,
     "annotation \"c\""},
};

static void each_fault_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct manifest manifest = {.media_type = "untouched"};
        struct error err = {0};

        assert_case(faults[i].text,
                    parse(faults[i].type, faults[i].text, &manifest, &err) == faults[i].expected);
        assert_says(&err, faults[i].says);
        assert_string_equal(manifest.media_type, "untouched");
    }
}

/* Nesting that would overflow the stack. */
static void deep_nesting_is_refused(void **state)
{
    static const size_t depths[] = {501, 10000, 1000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
        CLEANUP_FREE char *text = malloc(2 * depths[i] + 100);
        int length = snprintf(text, 100, "{\"schemaVersion\":2,\"manifests\":[],\"x\":");
        struct manifest manifest;
        struct error err = {0};

        fill(text + length, '[', depths[i]);
        fill(text + length + depths[i], ']', depths[i]);
        memcpy(text + (size_t)length + 2 * depths[i], "}", 2);
        assert_int_equal(parse(MANIFEST_OCI_INDEX, text, &manifest, &err), -EBADMSG);
        assert_says(&err, "nested");
    }
}

/* The maximum size of a manifest: fifty thousand layers. */
static char *make_large(size_t *ret_count)
{
    enum { SIZE = 4 << 20 };
    char *text = malloc(SIZE + 1);
    size_t at, count = 0;

    assert_non_null(text);
    at = (size_t)snprintf(text, SIZE, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[", CONFIG);
    for (; at + 200 < SIZE; count++)
        at += (size_t)snprintf(text + at, SIZE - at, "%s{\"digest\":\"sha256:%s\",\"size\":%zu}",
                               count ? "," : "", HEX_B, count);
    snprintf(text + at, SIZE - at, "]}");
    *ret_count = count;
    return text;
}

static void the_largest_manifests_are_read(void **state)
{
    size_t count;
    CLEANUP_FREE char *text = make_large(&count);
    CLEANUP(manifest_done) struct manifest manifest = read_good(MANIFEST_OCI_IMAGE, text);

    (void)state;
    assert_true(count > 40000);
    assert_int_equal(manifest.blobs.count, count + 1);
}

static void *parse_many(void *argument)
{
    int *wrong = argument;

    for (int i = 0; i < 300; i++) {
        struct manifest manifest;
        struct error err;

        *wrong += parse(NULL, IMAGE(",\"annotations\":{\"a\":\"b\"}"), &manifest, &err) != 0;
        *wrong += strcmp(manifest.annotations, "{\"a\":\"b\"}") != 0;
        manifest_done(&manifest);
        *wrong += parse(MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":[}", &manifest,
                        &err) != -EBADMSG;
    }
    return NULL;
}

static void threads_can_parse_concurrently(void **state)
{
    pthread_t threads[8];
    int wrong[8] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, parse_many, &wrong[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            threads_can_parse_concurrently), /* first, so that the threads do the initialisation */
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(the_largest_manifests_are_read),
    };

    return cmocka_run_group_tests_name("manifest-faults", tests, NULL, NULL);
}
