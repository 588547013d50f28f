#include "registry/spec/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/registry-spec/manifest-sample.h"

static void an_image_refers_to_config_and_layers(void **state)
{
    static const char *const texts[] = {IMAGE(""), IMAGE(TYPE(MANIFEST_OCI_IMAGE)),
                                        IMAGE(",\"mediaType\":null"), IMAGE(",\"mediaType\":\"\"")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(manifest_done) struct manifest manifest = read_good(MANIFEST_OCI_IMAGE, texts[i]);

        assert_string_equal(manifest.media_type, MANIFEST_OCI_IMAGE);
        assert_int_equal(manifest.blobs.count, 2);
        assert_string_equal(manifest.blobs.items[0].digest.hex, HEX_A);
        assert_int_equal(manifest.blobs.items[0].size, 2);
        assert_string_equal(manifest.blobs.items[0].media_type,
                            "application/vnd.oci.image.config.v1+json");
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
    static const struct {
        const char *type, *text;
    } cases[] = {
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
    static const struct {
        const char *type, *text;
        size_t blobs;
    } cases[] = {
        {MANIFEST_OCI_IMAGE, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", 1},
        {MANIFEST_OCI_IMAGE,
         "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":null,\"manifests\":null}", 1},
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

static void an_unknown_type_is_detected_from_the_content(void **state)
{
    static const struct {
        const char *text, *type;
    } cases[] = {
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
        MANIFEST_OCI_IMAGE,
        MANIFEST_OCI_IMAGE ";charset=utf-8",
        " " MANIFEST_OCI_IMAGE " ; a=b",
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
    assert_false(
        manifest_is_supported_type("application/vnd.docker.distribution.manifest.v1+json"));
    assert_false(manifest_is_supported_type("application/json"));
    assert_false(manifest_is_supported_type(""));
}

static void foreign_layers_are_recognised(void **state)
{
    static const struct {
        const char *type, *more;
        bool is_elsewhere;
    } cases[] = {
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
                 "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:" HEX_A
                 "\",\"urls\":[\"x\"]},"
                 "\"layers\":[{\"mediaType\":\"%s\",\"digest\":\"sha256:" HEX_B "\"%s}]}",
                 cases[i].type, cases[i].more);
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
    CLEANUP(manifest_done)
    struct manifest image = read_good(
        MANIFEST_OCI_IMAGE,
        IMAGE(",\"subject\":{\"mediaType\":\"x\",\"digest\":\"sha512:" HEX_512 "\",\"size\":9}"));
    CLEANUP(manifest_done)
    struct manifest index =
        read_good(MANIFEST_OCI_INDEX,
                  INDEX(",\"subject\":{\"digest\":\"sha256:" HEX_A "\"},\"artifactType\":\"a/b\""));
    CLEANUP(manifest_done)
    struct manifest docker = read_good(
        MANIFEST_DOCKER_IMAGE,
        IMAGE(TYPE(MANIFEST_DOCKER_IMAGE) ",\"subject\":{\"digest\":\"sha256:" HEX_A "\"}"));

    (void)state;
    assert_true(image.has_subject);
    assert_int_equal(image.subject.algorithm, DIGEST_SHA512);
    assert_string_equal(image.subject.hex, HEX_512);
    assert_true(index.has_subject);
    assert_string_equal(index.subject.hex, HEX_A);
    assert_string_equal(index.artifact_type, "a/b");
    assert_false(docker.has_subject);
}

static void the_artifact_type_takes_precedence_over_the_config_s(void **state)
{
    CLEANUP(manifest_done)
    struct manifest image = read_good(NULL, IMAGE(",\"artifactType\":\"a/b\""));
    CLEANUP(manifest_done) struct manifest empty = read_good(NULL, IMAGE(",\"artifactType\":\"\""));
    CLEANUP(manifest_done)
    struct manifest artifact =
        read_good(MANIFEST_OCI_ARTIFACT, "{\"artifactType\":\"x/y\",\"blobs\":[]}");

    (void)state;
    assert_string_equal(image.artifact_type, "a/b");
    assert_string_equal(empty.artifact_type, "application/vnd.oci.image.config.v1+json");
    assert_string_equal(artifact.artifact_type, "x/y");
}

static void annotations_are_kept_as_json(void **state)
{
    static const struct {
        const char *more, *expected;
    } cases[] = {
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

static void unknown_members_may_have_any_name_and_be_repeated(void **state)
{
    CLEANUP(manifest_done)
    struct manifest manifest =
        read_good(NULL, "{\"schemaVersion\":2,\"History\":1,\"history\":2,\"x\":1,\"x\":2,"
                        "\"layer\":1,\"config\":" CONFIG "}");

    (void)state;
    assert_int_equal(manifest.blobs.count, 1);
}

static void freeing_an_empty_manifest_is_allowed(void **state)
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
        cmocka_unit_test(an_image_refers_to_config_and_layers),
        cmocka_unit_test(an_index_refers_to_manifests),
        cmocka_unit_test(lists_may_be_empty),
        cmocka_unit_test(an_unknown_type_is_detected_from_the_content),
        cmocka_unit_test(parameters_of_the_type_do_not_matter),
        cmocka_unit_test(types_are_stripped),
        cmocka_unit_test(the_types_of_manifests_are_known),
        cmocka_unit_test(foreign_layers_are_recognised),
        cmocka_unit_test(the_subject_is_read),
        cmocka_unit_test(the_artifact_type_takes_precedence_over_the_config_s),
        cmocka_unit_test(annotations_are_kept_as_json),
        cmocka_unit_test(unknown_members_may_have_any_name_and_be_repeated),
        cmocka_unit_test(freeing_an_empty_manifest_is_allowed),
    };

    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
