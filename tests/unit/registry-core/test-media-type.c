#include "registry/core/media-type.h"

#include <string.h>

#include "tests/unit/registry-core/support.h"

static const struct {
    const char *name, *text, *type;
    bool is_stated;
} cases[] = {
    {"its own type",
     "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_DOCKER_IMAGE "\",\"config\":{\"digest\":"
     "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"},\"layers\":[]}",
     MANIFEST_DOCKER_IMAGE, true},
    {"a list's own type",
     "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_DOCKER_LIST "\",\"manifests\":[]}",
     MANIFEST_DOCKER_LIST, true},
    {"an index by its manifests", "{\"schemaVersion\":2,\"manifests\":[]}", MANIFEST_OCI_INDEX,
     false},
    {"an image by its config",
     "{\"schemaVersion\":2,\"config\":{\"digest\":"
     "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"},\"layers\":[]}",
     MANIFEST_OCI_IMAGE, false},
    {"an empty type counts as a missing one",
     "{\"schemaVersion\":2,\"mediaType\":\"\",\"manifests\":[]}", MANIFEST_OCI_INDEX, false},
    {"nor is null", "{\"schemaVersion\":2,\"mediaType\":null,\"manifests\":[]}", MANIFEST_OCI_INDEX,
     false},
    {"schema 1", "{\"schemaVersion\":1,\"fsLayers\":[]}",
     "application/vnd.docker.distribution.manifest.v1+json", false},
    {"schema 1, signed", "{\"schemaVersion\":1,\"fsLayers\":[],\"signatures\":[{}]}",
     "application/vnd.docker.distribution.manifest.v1+prettyjws", false},
    {"nothing", "", "application/octet-stream", false},
    {"no JSON", "{", "application/octet-stream", false},
    {"no object", "[1]", "application/octet-stream", false},
};

static void types_are_detected_from_the_bytes(void **state)
{
    struct type_cache *cache = type_cache_new();
    struct shown_type type;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct digest digest = sha256_of(cases[i].text);

        media_type_sniff(cases[i].text, strlen(cases[i].text), &type);
        assert_case(cases[i].name,
                    strcmp(type.name, cases[i].type) == 0 && type.is_stated == cases[i].is_stated);
        for (int j = 0; j < 2; j++) {
            type_cache_sniff(cache, &digest, cases[i].text, strlen(cases[i].text), &type);
            assert_case(cases[i].name, strcmp(type.name, cases[i].type) == 0 &&
                                           type.is_stated == cases[i].is_stated);
        }
    }
    type_cache_free(cache);
    type_cache_free(NULL);
}

/* Cached types are not computed again; two digests in the same slot do not mix. */
static void the_cache_compares_the_whole_digest(void **state)
{
    struct type_cache *cache = type_cache_new();
    struct digest one = sha256_of("1"), two = one;
    struct shown_type type;

    (void)state;
    two.hex[63] = two.hex[63] == '0' ? '1' : '0';
    type_cache_sniff(cache, &one, cases[0].text, strlen(cases[0].text), &type);
    type_cache_sniff(cache, &one, "", 0, &type);
    assert_string_equal(type.name, cases[0].type);
    type_cache_sniff(cache, &two, "", 0, &type);
    assert_string_equal(type.name, "application/octet-stream");
    type_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_detected_from_the_bytes),
        cmocka_unit_test(the_cache_compares_the_whole_digest),
    };

    return cmocka_run_group_tests_name("store-media-type", tests, NULL, NULL);
}
