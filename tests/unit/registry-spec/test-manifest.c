#include "registry/spec/manifest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

#define HEX_A "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define HEX_B "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HEX_512                                                                                                        \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e" \
    "2a9ac94fa54ca49f"
#define CONFIG "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:" HEX_A "\",\"size\":2}"
#define LAYER "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:" HEX_B "\",\"size\":5}"
#define CHILD "{\"mediaType\":\"" MANIFEST_OCI_IMAGE "\",\"digest\":\"sha256:" HEX_B "\",\"size\":5}"

/* A manifest with its type left out or said, and with more members. */
#define IMAGE(more) "{\"schemaVersion\":2" more ",\"config\":" CONFIG ",\"layers\":[" LAYER "]}"
#define INDEX(more) "{\"schemaVersion\":2" more ",\"manifests\":[" CHILD "]}"
#define TYPE(type) ",\"mediaType\":\"" type "\""

static int parse(const char *content_type, const char *text, struct manifest *ret, struct error *err)
{
    size_t size = strlen(text);
    CLEANUP_FREE char *copy = copy_exactly(text, size);

    return manifest_parse(content_type, copy, size, ret, err);
}

static struct manifest read_good(const char *content_type, const char *text)
{
    struct manifest manifest = {0};
    struct error err = {0};

    if (parse(content_type, text, &manifest, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return manifest;
}

static void an_image_refers_to_config_and_layers(void **state)
{
    static const char *const texts[] = {IMAGE(""), IMAGE(TYPE(MANIFEST_OCI_IMAGE)), IMAGE(",\"mediaType\":null"),
                                        IMAGE(",\"mediaType\":\"\"")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(manifest_done) struct manifest manifest = read_good(MANIFEST_OCI_IMAGE, texts[i]);

        assert_string_equal(manifest.media_type, MANIFEST_OCI_IMAGE);
        assert_int_equal(manifest.blobs.count, 2);
        assert_string_equal(manifest.blobs.items[0].digest.hex, HEX_A);
        assert_int_equal(manifest.blobs.items[0].size, 2);
        assert_string_equal(manifest.blobs.items[0].media_type, "application/vnd.oci.image.config.v1+json");
        assert_string_equal(manifest.blobs.items[1].digest.hex, HEX_B);
        assert_int_equal(manifest.blobs.items[1].size, 5);
        assert_false(manifest.blobs.items[1].is_elsewhere);
        assert_int_equal(manifest.manifests.count, 0);
        assert_false(manifest.has_subject);
        assert_string_equal(manifest.artifact_type, "application/vnd.oci.image.config.v1+json");
        assert_null(manifest.annotations);
    }
}

static void an_index_refers_to_manifests(void **state)
{
    static const struct { const char *type, *text; } cases[] = {
        {MANIFEST_OCI_INDEX, INDEX("")},
        {MANIFEST_OCI_INDEX, INDEX(TYPE(MANIFEST_OCI_INDEX))},
        {MANIFEST_DOCKER_LIST, INDEX(TYPE(MANIFEST_DOCKER_LIST))},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(manifest_done) struct manifest manifest = read_good(cases[i].type, cases[i].text);

        assert_string_equal(manifest.media_type, cases[i].type);
        assert_int_equal(manifest.blobs.count, 0);
        assert_int_equal(manifest.manifests.count, 1);
        assert_string_equal(manifest.manifests.items[0].digest.hex, HEX_B);
        assert_string_equal(manifest.manifests.items[0].media_type, MANIFEST_OCI_IMAGE);
        assert_null(manifest.artifact_type);
    }
}

static void lists_may_be_empty(void **state)
{
    static const struct { const char *type, *text; size_t blobs; } cases[] = {
        {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", 1},
        {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":null,\"manifests\":null}", 1},
        {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG "}", 1},
        {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[]}", 0},
        {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":null}", 0},
        {MANIFEST_OCI_ARTIFACT, "{\"mediaType\":\"" MANIFEST_OCI_ARTIFACT "\"}", 0},
        {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[" LAYER "," LAYER "]}", 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(manifest_done) struct manifest manifest = read_good(cases[i].type, cases[i].text);

        assert_int_equal(manifest.blobs.count, cases[i].blobs);
        assert_int_equal(manifest.manifests.count, 0);
    }
}

static void what_was_pushed_as_nobody_knows_is_found_out(void **state)
{
    static const struct { const char *text, *type; } cases[] = {
        {IMAGE(""), MANIFEST_OCI_IMAGE},
        {INDEX(""), MANIFEST_OCI_INDEX},
        {"{\"schemaVersion\":2,\"manifests\":[]}", MANIFEST_OCI_INDEX},
        {"{\"schemaVersion\":2,\"manifests\":null,\"config\":" CONFIG "}", MANIFEST_OCI_IMAGE},
        {IMAGE(TYPE(MANIFEST_DOCKER_IMAGE)), MANIFEST_DOCKER_IMAGE},
        {INDEX(TYPE(MANIFEST_DOCKER_LIST)), MANIFEST_DOCKER_LIST},
        {"{\"mediaType\":\"" MANIFEST_OCI_ARTIFACT "\"}", MANIFEST_OCI_ARTIFACT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(manifest_done) struct manifest a = read_good(NULL, cases[i].text);
        CLEANUP(manifest_done) struct manifest b = read_good("", cases[i].text);

        assert_string_equal(a.media_type, cases[i].type);
        assert_string_equal(b.media_type, cases[i].type);
    }
}

static void parameters_of_the_type_do_not_matter(void **state)
{
    static const char *const types[] = {
        MANIFEST_OCI_IMAGE, MANIFEST_OCI_IMAGE ";charset=utf-8", " " MANIFEST_OCI_IMAGE " ; a=b",
        "Application/VND.oci.image.manifest.v1+JSON",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        CLEANUP(manifest_done) struct manifest manifest = read_good(types[i], IMAGE(""));

        assert_string_equal(manifest.media_type, MANIFEST_OCI_IMAGE);
    }
}

static void types_are_stripped(void **state)
{
    char type[MANIFEST_TYPE_SIZE], text[400];

    (void)state;
    assert_int_equal(manifest_strip_type("a/B; c=d", type), 0);
    assert_string_equal(type, "a/b");
    assert_int_equal(manifest_strip_type("", type), -EINVAL);
    assert_int_equal(manifest_strip_type("  ", type), -EINVAL);
    assert_int_equal(manifest_strip_type(";a", type), -EINVAL);
    fill(text, 'a', MANIFEST_TYPE_SIZE - 1);
    assert_int_equal(manifest_strip_type(text, type), 0);
    assert_string_equal(type, text);
    fill(text, 'a', MANIFEST_TYPE_SIZE);
    assert_int_equal(manifest_strip_type(text, type), -EINVAL);
}

static void the_types_of_manifests_are_known(void **state)
{
    (void)state;
    assert_true(manifest_is_supported_type(MANIFEST_OCI_IMAGE));
    assert_true(manifest_is_supported_type(MANIFEST_OCI_INDEX));
    assert_true(manifest_is_supported_type(MANIFEST_OCI_ARTIFACT));
    assert_true(manifest_is_supported_type(MANIFEST_DOCKER_IMAGE));
    assert_true(manifest_is_supported_type(MANIFEST_DOCKER_LIST));
    assert_false(manifest_is_supported_type("application/vnd.docker.distribution.manifest.v1+json"));
    assert_false(manifest_is_supported_type("application/json"));
    assert_false(manifest_is_supported_type(""));
}

static void layers_from_elsewhere_are_told(void **state)
{
    static const struct { const char *type, *more; bool is_elsewhere; } cases[] = {
        {"application/vnd.oci.image.layer.nondistributable.v1.tar", "", true},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "", true},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "", true},
        {"application/vnd.docker.image.rootfs.diff.tar.gzip", "", false},
        {"application/vnd.oci.image.layer.v1.tar", ",\"urls\":[\"https://example.com/x\"]", true},
        {"application/vnd.oci.image.layer.v1.tar", ",\"urls\":[]", false},
        {"application/vnd.oci.image.layer.v1.tar", ",\"urls\":null", false},
        {"", "", false},
    };
    char text[2000];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct manifest manifest;

        snprintf(text, sizeof(text),
                 "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:" HEX_A "\",\"urls\":[\"x\"]},"
                 "\"layers\":[{\"mediaType\":\"%s\",\"digest\":\"sha256:" HEX_B "\"%s}]}", cases[i].type, cases[i].more);
        manifest = read_good(NULL, text);
        assert_case(cases[i].more, manifest.blobs.items[1].is_elsewhere == cases[i].is_elsewhere);
        assert_false(manifest.blobs.items[0].is_elsewhere);
        assert_int_equal(manifest.blobs.items[1].size, 0);
        assert_null(manifest.artifact_type);
        manifest_done(&manifest);
    }
}

static void the_subject_is_read(void **state)
{
    CLEANUP(manifest_done) struct manifest image = read_good(
        MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":{\"mediaType\":\"x\",\"digest\":\"sha512:" HEX_512 "\",\"size\":9}"));
    CLEANUP(manifest_done) struct manifest index = read_good(
        MANIFEST_OCI_INDEX, INDEX(",\"subject\":{\"digest\":\"sha256:" HEX_A "\"},\"artifactType\":\"a/b\""));
    CLEANUP(manifest_done) struct manifest docker =
        read_good(MANIFEST_DOCKER_IMAGE, IMAGE(TYPE(MANIFEST_DOCKER_IMAGE) ",\"subject\":{\"digest\":\"sha256:" HEX_A "\"}"));

    (void)state;
    assert_true(image.has_subject);
    assert_int_equal(image.subject.algorithm, DIGEST_SHA512);
    assert_string_equal(image.subject.hex, HEX_512);
    assert_true(index.has_subject);
    assert_string_equal(index.subject.hex, HEX_A);
    assert_string_equal(index.artifact_type, "a/b");
    assert_false(docker.has_subject);
}

static void the_artifact_type_goes_before_that_of_the_config(void **state)
{
    CLEANUP(manifest_done) struct manifest image = read_good(NULL, IMAGE(",\"artifactType\":\"a/b\""));
    CLEANUP(manifest_done) struct manifest empty = read_good(NULL, IMAGE(",\"artifactType\":\"\""));
    CLEANUP(manifest_done) struct manifest artifact =
        read_good(MANIFEST_OCI_ARTIFACT, "{\"artifactType\":\"x/y\",\"blobs\":[]}");

    (void)state;
    assert_string_equal(image.artifact_type, "a/b");
    assert_string_equal(empty.artifact_type, "application/vnd.oci.image.config.v1+json");
    assert_string_equal(artifact.artifact_type, "x/y");
}

static void annotations_are_kept_as_json(void **state)
{
    static const struct { const char *more, *expected; } cases[] = {
        {",\"annotations\":{}", NULL},
        {",\"annotations\":null", NULL},
        {",\"annotations\":{ \"b\" : \"1\" ,\n\"a\":\"x\\u0000\\\"<\\u00e9\" }",
         "{\"b\":\"1\",\"a\":\"x\\u0000\\\"\\u003c\xC3\xA9\"}"},
    };
    char text[1000];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct manifest manifest;

        snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[]%s}", cases[i].more);
        manifest = read_good(NULL, text);
        if (cases[i].expected)
            assert_string_equal(manifest.annotations, cases[i].expected);
        else
            assert_null(manifest.annotations);
        manifest_done(&manifest);
    }
}

static const struct {
    const char *type, *text;
    int expected;
    const char *says;
} faults[] = {
    {MANIFEST_OCI_IMAGE, "", -EBADMSG, "no JSON"},
    {MANIFEST_OCI_IMAGE, "{", -EBADMSG, "no JSON"},
    {MANIFEST_OCI_IMAGE, IMAGE("") "x", -EBADMSG, "no JSON"},
    {MANIFEST_OCI_IMAGE, IMAGE("") IMAGE(""), -EBADMSG, "no JSON"},
    {MANIFEST_OCI_IMAGE, "\xEF\xBB\xBF" IMAGE(""), -EBADMSG, "no JSON"},
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
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":\"2\",\"config\":" CONFIG "}", -EINVAL, "schemaVersion"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2.5,\"config\":" CONFIG "}", -EINVAL, "schemaVersion"},

    {MANIFEST_OCI_IMAGE, IMAGE(",\"manifests\":[]"), -EINVAL, "manifests"},
    {NULL, IMAGE(",\"manifests\":[]"), -EINVAL, "layers"},
    {MANIFEST_DOCKER_IMAGE, IMAGE(TYPE(MANIFEST_DOCKER_IMAGE) ",\"manifests\":[" CHILD "]"), -EINVAL, "manifests"},
    {MANIFEST_OCI_INDEX, INDEX(",\"layers\":[]"), -EINVAL, "layers"},
    {MANIFEST_OCI_INDEX, INDEX(",\"config\":{}"), -EINVAL, "config"},
    {MANIFEST_OCI_ARTIFACT, "{\"manifests\":[]}", -EINVAL, "manifests"},

    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"layers\":[]}", -EINVAL, "no config"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":[],\"layers\":[]}", -EINVAL, "config"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}", -EINVAL, "config has no digest"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}", -EINVAL, "layers is no list"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER ",1]}", -EINVAL, "layers[1]"},
    {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[null]}", -EINVAL, "layers[0]"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":\"x\"}", -EINVAL, "manifests is no list"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":1}]}", -EINVAL, "manifests[0].digest"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:abc\"}]}", -EINVAL, "malformed"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"md5:abc\"}]}", -EINVAL, "neither sha256"},
    {MANIFEST_OCI_INDEX, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:" HEX_A "\\u0000\"}]}", -EINVAL,
     "manifests[0].digest"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":-1}]}", -EINVAL, "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":\"1\"}]}", -EINVAL, "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":1.5}]}", -EINVAL, "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":1e99}]}", -EINVAL, "blobs[0].size"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"urls\":\"x\"}]}", -EINVAL, "blobs[0].urls"},
    {MANIFEST_OCI_ARTIFACT, "{\"blobs\":[{\"digest\":\"sha256:" HEX_A "\",\"mediaType\":{}}]}", -EINVAL,
     "blobs[0].mediaType"},

    {MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":\"x\""), -EINVAL, "subject"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":{}"), -EINVAL, "subject has no digest"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"subject\":{\"digest\":\"x\"}"), -EINVAL, "subject.digest"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"artifactType\":[]"), -EINVAL, "artifactType"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"annotations\":[]"), -EINVAL, "annotations"},
    {MANIFEST_OCI_IMAGE, IMAGE(",\"annotations\":{\"a\":\"b\",\"c\":1}"), -EINVAL, "annotation \"c\""},
};

static void each_fault_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct manifest manifest = {.media_type = "untouched"};
        struct error err = {0};

        assert_case(faults[i].text, parse(faults[i].type, faults[i].text, &manifest, &err) == faults[i].expected);
        assert_says(&err, faults[i].says);
        assert_string_equal(manifest.media_type, "untouched");
    }
}

static void members_are_known_by_their_exact_name_and_the_last_counts(void **state)
{
    CLEANUP(manifest_done) struct manifest manifest =
        read_good(NULL, "{\"schemaVersion\":1,\"schemaVersion\":2,\"Config\":1,\"LAYERS\":2,\"config\":1,\"config\":" CONFIG "}");

    (void)state;
    assert_int_equal(manifest.blobs.count, 1);
}

/* Nesting that a stack would not stand. */
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

/* As large as a manifest may be: fifty thousand layers. */
static char *make_large(size_t *ret_count)
{
    enum { SIZE = 4 << 20 };
    char *text = malloc(SIZE + 1);
    size_t at, count = 0;

    assert_non_null(text);
    at = (size_t)snprintf(text, SIZE, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[", CONFIG);
    for (; at + 200 < SIZE; count++)
        at += (size_t)snprintf(text + at, SIZE - at, "%s{\"digest\":\"sha256:%s\",\"size\":%zu}", count ? "," : "", HEX_B,
                               count);
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
        *wrong += parse(MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":[}", &manifest, &err) != -EBADMSG;
    }
    return NULL;
}

static void threads_parse_side_by_side(void **state)
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

static void nothing_can_be_done_away_with(void **state)
{
    struct manifest manifest = {0};

    (void)state;
    manifest_done(NULL);
    manifest_done(&manifest);
    manifest_done(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_parse_side_by_side), /* first, so that the threads set all up */
        cmocka_unit_test(an_image_refers_to_config_and_layers),
        cmocka_unit_test(an_index_refers_to_manifests),
        cmocka_unit_test(lists_may_be_empty),
        cmocka_unit_test(what_was_pushed_as_nobody_knows_is_found_out),
        cmocka_unit_test(parameters_of_the_type_do_not_matter),
        cmocka_unit_test(types_are_stripped),
        cmocka_unit_test(the_types_of_manifests_are_known),
        cmocka_unit_test(layers_from_elsewhere_are_told),
        cmocka_unit_test(the_subject_is_read),
        cmocka_unit_test(the_artifact_type_goes_before_that_of_the_config),
        cmocka_unit_test(annotations_are_kept_as_json),
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(members_are_known_by_their_exact_name_and_the_last_counts),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(the_largest_manifests_are_read),
        cmocka_unit_test(nothing_can_be_done_away_with),
    };

    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
