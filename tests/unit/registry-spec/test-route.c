#include "registry/spec/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "tests/unit/check.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DIGEST "sha256:" HEX
#define UUID "b7ca11ad-725e-4177-a6d7-b66b8316f80e"

static struct route parse(const char *path)
{
    size_t size = strlen(path);
    CLEANUP_FREE char *copy = copy_exactly(path, size);
    struct route route;

    route_parse(copy, size, &route);
    return route;
}

static const struct {
    const char *path;
    enum route_kind kind;
    const char *name;
    const char *last; /* the tag, the digest's digits or the upload */
} cases[] = {
    {"/", ROUTE_ROOT, "", ""},
    {"/healthz", ROUTE_HEALTH, "", ""},
    {"/v2", ROUTE_BASE_REDIRECT, "", ""},
    {"/v2/", ROUTE_BASE, "", ""},
    {"/v2/_catalog", ROUTE_CATALOG, "", ""},
    {"/v2/a/tags/list", ROUTE_TAGS, "a", ""},
    {"/v2/a/b/c/tags/list", ROUTE_TAGS, "a/b/c", ""},
    {"/v2/a/manifests/latest", ROUTE_MANIFEST_TAG, "a", "latest"},
    {"/v2/a/b/manifests/V1.0_x-y", ROUTE_MANIFEST_TAG, "a/b", "V1.0_x-y"},
    {"/v2/a/manifests/" DIGEST, ROUTE_MANIFEST_DIGEST, "a", HEX},
    {"/v2/a/manifests/sha256:abc", ROUTE_MANIFEST_BAD_DIGEST, "a", ""},
    {"/v2/a/manifests/sha256:baddigeststring", ROUTE_MANIFEST_BAD_DIGEST, "a", ""},
    {"/v2/a/manifests/md5:d41d8cd98f00b204e9800998ecf8427e", ROUTE_MANIFEST_BAD_DIGEST, "a", ""},
    {"/v2/a/manifests/:", ROUTE_MANIFEST_BAD_DIGEST, "a", ""},
    {"/v2/a/blobs/" DIGEST, ROUTE_BLOB, "a", HEX},
    {"/v2/a/blobs/sha256:abc", ROUTE_BLOB_BAD_DIGEST, "a", ""},
    {"/v2/a/blobs/x", ROUTE_BLOB_BAD_DIGEST, "a", ""},
    {"/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", ROUTE_BLOB_BAD_DIGEST, "a", ""},
    {"/v2/a/blobs/uploads", ROUTE_UPLOADS, "a", ""},
    {"/v2/a/blobs/uploads/", ROUTE_UPLOADS, "a", ""},
    {"/v2/a/blobs/uploads/" UUID, ROUTE_UPLOAD, "a", UUID},
    {"/v2/a/blobs/uploads/x", ROUTE_UPLOAD_BAD, "a", ""},
    {"/v2/a/blobs/uploads/" DIGEST, ROUTE_UPLOAD_BAD, "a", ""},
    {"/v2/a/blobs/uploads/..", ROUTE_UPLOAD_BAD, "a", ""},
    {"/v2/a/referrers/" DIGEST, ROUTE_REFERRERS, "a", HEX},
    {"/v2/a/referrers/x", ROUTE_REFERRERS_BAD_DIGEST, "a", ""},

    /* names with components that are keywords in other paths */
    {"/v2/a/manifests/b/manifests/latest", ROUTE_MANIFEST_TAG, "a/manifests/b", "latest"},
    {"/v2/manifests/manifests/latest", ROUTE_MANIFEST_TAG, "manifests", "latest"},
    {"/v2/manifests/manifests/manifests", ROUTE_MANIFEST_TAG, "manifests", "manifests"},
    {"/v2/tags/list/tags/list", ROUTE_TAGS, "tags/list", ""},
    {"/v2/a/manifests/tags/list", ROUTE_TAGS, "a/manifests", ""},
    {"/v2/a/manifests/list", ROUTE_MANIFEST_TAG, "a", "list"},
    {"/v2/a/manifests/uploads", ROUTE_MANIFEST_TAG, "a", "uploads"},
    {"/v2/blobs/blobs/uploads/", ROUTE_UPLOADS, "blobs", ""},
    {"/v2/blobs/uploads/blobs/uploads/", ROUTE_UPLOADS, "blobs/uploads", ""},
    {"/v2/blobs/uploads/blobs/uploads", ROUTE_UPLOADS, "blobs/uploads", ""},
    {"/v2/blobs/uploads/blobs/uploads/" UUID, ROUTE_UPLOAD, "blobs/uploads", UUID},
    {"/v2/a/blobs/uploads/manifests/latest", ROUTE_MANIFEST_TAG, "a/blobs/uploads", "latest"},
    {"/v2/a/blobs/uploads/tags/list", ROUTE_TAGS, "a/blobs/uploads", ""},
    {"/v2/uploads/blobs/" DIGEST, ROUTE_BLOB, "uploads", HEX},
    {"/v2/v2/tags/list", ROUTE_TAGS, "v2", ""},
    {"/v2/referrers/referrers/" DIGEST, ROUTE_REFERRERS, "referrers", HEX},

    /* the page; no name and no tag takes these paths away from others */
    {"", ROUTE_PAGE_REDIRECT, "", ""},
    {"/_page/page.js", ROUTE_PAGE_ASSET, "", ""},
    {"/_page/locales/zh.json", ROUTE_PAGE_ASSET, "", ""},
    {"/_page/", ROUTE_NONE, "", ""},
    {"/_page", ROUTE_NONE, "", ""},
    {"/v2/_page/self", ROUTE_PAGE_SELF, "", ""},
    {"/v2/_page/self/", ROUTE_NONE, "", ""},
    {"/v2/_page/manifests/latest", ROUTE_NAME_INVALID, "", ""},
    {"/v2/a/manifests/_page", ROUTE_MANIFEST_TAG, "a", "_page"},
    {"/v2/self/manifests/self", ROUTE_MANIFEST_TAG, "self", "self"},

    /* invalid names */
    {"/v2/UPPER/tags/list", ROUTE_NAME_INVALID, "", ""},
    {"/v2/a/../b/manifests/latest", ROUTE_NAME_INVALID, "", ""},
    {"/v2//manifests/latest", ROUTE_NAME_INVALID, "", ""},
    {"/v2//tags/list", ROUTE_NAME_INVALID, "", ""},
    {"/v2/a//blobs/" DIGEST, ROUTE_NAME_INVALID, "", ""},
    {"/v2/a b/blobs/uploads/", ROUTE_NAME_INVALID, "", ""},
    {"/v2/_x/blobs/uploads/" UUID, ROUTE_NAME_INVALID, "", ""},
    {"/v2/A/blobs/x", ROUTE_NAME_INVALID, "", ""},
    {"/v2/A/manifests/x:y", ROUTE_NAME_INVALID, "", ""},
    {"/v2/-/referrers/x", ROUTE_NAME_INVALID, "", ""},

    /* unknown routes */
    {"v2/", ROUTE_NONE, "", ""},
    {"//", ROUTE_NONE, "", ""},
    {"/v1/", ROUTE_NONE, "", ""},
    {"/v2x/", ROUTE_NONE, "", ""},
    {"/healthz/", ROUTE_NONE, "", ""},
    {"/v2//", ROUTE_NONE, "", ""},
    {"/v2/a", ROUTE_NONE, "", ""},
    {"/v2/a/", ROUTE_NONE, "", ""},
    {"/v2/_catalog/", ROUTE_NONE, "", ""},
    {"/v2/tags/list", ROUTE_NONE, "", ""},
    {"/v2/a/tags/", ROUTE_NONE, "", ""},
    {"/v2/a/tags/lists", ROUTE_NONE, "", ""},
    {"/v2/a/tags/list/", ROUTE_NONE, "", ""},
    {"/v2/manifests/latest", ROUTE_NONE, "", ""},
    {"/v2/a/manifests/", ROUTE_NONE, "", ""},
    {"/v2/a/manifests/.bad", ROUTE_NONE, "", ""},
    {"/v2/a/manifests/a b", ROUTE_NONE, "", ""},
    {"/v2/a/manifests/latest/", ROUTE_NONE, "", ""},
    {"/v2/a/blobs/", ROUTE_NONE, "", ""},
    {"/v2/blobs/" DIGEST, ROUTE_NONE, "", ""},
    {"/v2/blobs/uploads/", ROUTE_NONE, "", ""},
    {"/v2/blobs/uploads/" UUID, ROUTE_NONE, "", ""},
    {"/v2/a/uploads/" UUID, ROUTE_NONE, "", ""},
    {"/v2/a/b/uploads/" UUID, ROUTE_NONE, "", ""},
    {"/v2/a/blobs/uploads/" UUID "/", ROUTE_NONE, "", ""},
    {"/v2/a/blobs/uploads//", ROUTE_NONE, "", ""},
    {"/v2/a/referrers/", ROUTE_NONE, "", ""},
    {"/v2/../../etc/passwd", ROUTE_NONE, "", ""},
    {"/v2/a/manifests/latest\n", ROUTE_NONE, "", ""},
    {"/v2/a\x01/manifests/latest", ROUTE_NONE, "", ""},
    {"/v2/A\x7F/tags/list", ROUTE_NONE, "", ""},
    {"/v2/a/blobs/\t", ROUTE_NONE, "", ""},
};

static const char *last_of(const struct route *route)
{
    return *route->tag ? route->tag : *route->upload ? route->upload : route->digest.hex;
}

static void paths_name_what_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct route route = parse(cases[i].path);

        assert_case(cases[i].path, route.kind == cases[i].kind);
        assert_case(cases[i].path, strcmp(route.name, cases[i].name) == 0);
        assert_case(cases[i].path, strcmp(last_of(&route), cases[i].last) == 0);
    }
}

static void a_path_with_a_nul_is_not_a_route(void **state)
{
    struct route route;

    (void)state;
    route_parse("/v2/a/manifests/b\0c", 19, &route);
    assert_int_equal(route.kind, ROUTE_NONE);
    route_parse("/v2/\0", 5, &route);
    assert_int_equal(route.kind, ROUTE_NONE);
}

static void the_lengths_of_names_and_tags_are_checked(void **state)
{
    char name[300], path[1200];
    struct route route;

    (void)state;
    for (size_t size = 250; size < 260; size++) {
        fill(name, 'a', size);
        snprintf(path, sizeof(path), "/v2/%s/tags/list", name);
        route = parse(path);
        assert_int_equal(route.kind, size <= 255 ? ROUTE_TAGS : ROUTE_NAME_INVALID);
    }
    for (size_t size = 126; size < 131; size++) {
        fill(name, 'a', size);
        snprintf(path, sizeof(path), "/v2/x/manifests/%s", name);
        route = parse(path);
        assert_int_equal(route.kind, size <= 128 ? ROUTE_MANIFEST_TAG : ROUTE_NONE);
    }
}

/* A million slashes: with quadratic time this would practically never end. */
static void long_paths_are_read_in_linear_time(void **state)
{
    enum { SIZE = 4 << 20 };
    CLEANUP_FREE char *path = malloc(SIZE + 1);
    struct route route;

    (void)state;
    assert_non_null(path);
    for (size_t i = 0; i + 4 <= SIZE; i += 4)
        memcpy(path + i, i ? "/a-_" : "/v2/", 4);
    memcpy(path + SIZE - 10, "/tags/list", 10);
    route_parse(path, SIZE, &route);
    assert_int_equal(route.kind, ROUTE_NAME_INVALID);
}

static void escapes_are_decoded(void **state)
{
    static const struct { const char *path; enum route_kind kind; const char *name; } escaped[] = {
        {"/v2/a/manifests/latest", ROUTE_MANIFEST_TAG, "a"},
        {"/v2/%61%2Fb/tags/list", ROUTE_TAGS, "a/b"},
        {"/%76%32/", ROUTE_BASE, ""},
        {"/v2/a/blobs/sha256%3A" HEX, ROUTE_BLOB, "a"},
        {"/v2/a/manifests/a%00b", ROUTE_NONE, ""},
        {"/v2/a/manifests/a%", ROUTE_NONE, ""},
        {"/v2/a/manifests/a%4", ROUTE_NONE, ""},
        {"/v2/a/manifests/a%zz", ROUTE_NONE, ""},
        {"/v2/a+b/tags/list", ROUTE_NAME_INVALID, ""},
        {"/v2/a%0a/tags/list", ROUTE_NONE, ""},
    };
    static char longest[5000];
    struct route route;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(escaped); i++) {
        route_parse_escaped(escaped[i].path, strlen(escaped[i].path), &route);
        assert_case(escaped[i].path, route.kind == escaped[i].kind);
        assert_string_equal(route.name, escaped[i].name);
    }
    fill(longest, 'a', sizeof(longest) - 1);
    route_parse_escaped(longest, strlen(longest), &route);
    assert_int_equal(route.kind, ROUTE_NAME_INVALID);
}

static void methods_are_distinguished(void **state)
{
    (void)state;
    assert_int_equal(route_method_parse("GET"), ROUTE_METHOD_GET);
    assert_int_equal(route_method_parse("HEAD"), ROUTE_METHOD_HEAD);
    assert_int_equal(route_method_parse("POST"), ROUTE_METHOD_POST);
    assert_int_equal(route_method_parse("PUT"), ROUTE_METHOD_PUT);
    assert_int_equal(route_method_parse("PATCH"), ROUTE_METHOD_PATCH);
    assert_int_equal(route_method_parse("DELETE"), ROUTE_METHOD_DELETE);
    assert_int_equal(route_method_parse("get"), 0);
    assert_int_equal(route_method_parse("OPTIONS"), 0);
    assert_int_equal(route_method_parse(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_what_they_should),
        cmocka_unit_test(a_path_with_a_nul_is_not_a_route),
        cmocka_unit_test(the_lengths_of_names_and_tags_are_checked),
        cmocka_unit_test(long_paths_are_read_in_linear_time),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(methods_are_distinguished),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
