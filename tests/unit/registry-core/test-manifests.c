#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static void a_manifest_is_stored_where_registry_2_expects_it(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text = image_of(sha256_of("config"), "x", NULL);
    struct digest digest = push_manifest(store, "a/b", "latest", IMAGE_TYPE, text);

    (void)state;
    assert_file_is(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), text);
    assert_file_is(below("repositories/a/b/_manifests/revisions/sha256/%s/link", digest.hex),
                   text_of(digest));
    assert_file_is(below("repositories/a/b/_manifests/tags/latest/current/link"), text_of(digest));
    assert_file_is(
        below("repositories/a/b/_manifests/tags/latest/index/sha256/%s/link", digest.hex),
        text_of(digest));
    assert_is_absent(
        below("repositories/a/b/_manifests/revisions/sha256/%s/media-type", digest.hex));
    assert_is_absent(below("repositories/a/b/_manifests/referrers"));
    assert_nothing_temporary();
}

/*
 * registry:2 recognises a repository by its directory _layers; its collector would remove unknown
 * manifests.
 */
static void registry_2_recognises_a_repository_with_only_manifests(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    push_manifest(store, "a", NULL, INDEX_TYPE, "{\"schemaVersion\":2,\"manifests\":[]}");
    assert_tree_is(below("repositories/a/_layers"), "");
}

static void a_manifest_is_returned_as_pushed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text = image_of(sha256_of("config"), "x", NULL);
    struct digest digest = push_manifest(store, "a", "t", IMAGE_TYPE, text), other = sha256_of("");
    struct store_content content;
    struct error err = {0};

    (void)state;
    for (int i = 0; i < 2; i++) /* the second time from the cache */
        assert_manifest_is(store, "a", digest, IMAGE_TYPE, text);
    assert_true(has_manifest(store, "a", digest));
    assert_false(has_manifest(store, "b", digest));
    assert_int_equal(store_get_manifest(store, "b", &digest, STORE_MAY_WAIT, &content, &err),
                     STORE_NOT_FOUND);
    assert_int_equal(store_get_manifest(store, "a", &other, STORE_MAY_WAIT, &content, &err),
                     STORE_NOT_FOUND);
}

static void the_type_is_returned_as_pushed(void **state)
{
    static const char index[] = "{\"schemaVersion\":2,\"manifests\":[]}";
    static const char *const types[] = {
        INDEX_TYPE,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        INDEX_TYPE,
    };
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct digest digest = push_manifest(store, "a", NULL, types[i], index);

        assert_manifest_is(store, "a", digest, types[i], index);
    }
    assert_manifest_is(store, "a", push_manifest(store, "b", NULL, INDEX_TYPE, index), INDEX_TYPE,
                       index);
}

static void a_manifest_without_a_recognisable_type_is_served(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = sha256_of("{}");

    (void)state;
    make_file(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex), "{}");
    make_file(below("repositories/a/_manifests/revisions/sha256/%s/link", digest.hex),
              text_of(digest));
    assert_manifest_is(store, "a", digest, "application/octet-stream", "{}");
}

static void a_link_without_data_is_not_a_manifest(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_image(store, "a", "t", "x", NULL);
    struct store_content content;
    struct error err = {0};

    (void)state;
    assert_int_equal(remove(below("blobs/sha256/%.2s/%s/data", digest.hex, digest.hex)), 0);
    assert_false(has_manifest(store, "a", digest));
    assert_int_equal(store_get_manifest(store, "a", &digest, STORE_MAY_WAIT, &content, &err),
                     STORE_NOT_FOUND);
    assert_int_equal(store_delete_manifest(store, "a", &digest, NULL, &err), 0);
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "");
}

static struct digest push_sha512(struct store *store, const char *tag, const char *text)
{
    const char *tags[] = {tag};
    struct store_manifest manifest = {
        .digest = sha512_of(text),
        .media_type = IMAGE_TYPE,
        .bytes = text,
        .size = strlen(text),
        .tags = tags,
        .tag_count = tag ? 1 : 0,
    };
    struct error err = {0};

    if (store_put_manifest(store, "a", &manifest, &err) != 0)
        fail_msg("%s", err.text);
    return manifest.digest;
}

static void a_manifest_keeps_the_digest_it_was_pushed_by(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text = image_of(sha256_of("config"), "x", NULL);
    struct digest long_one = push_sha512(store, "t", text), short_one = sha256_of(text);

    (void)state;
    assert_manifest_is(store, "a", long_one, IMAGE_TYPE, text);
    assert_manifest_is(store, "a", short_one, IMAGE_TYPE, text);
    assert_string_equal(text_of(tag_of(store, "a", "t")), text_of(long_one));
    assert_file_is(below("repositories/a/_manifests/revisions/sha512/%s/link", long_one.hex),
                   text_of(short_one));
    assert_file_is(below("repositories/a/_manifests/revisions/sha256/%s/link", short_one.hex),
                   text_of(short_one));
    assert_is_absent(below("blobs/sha512"));
}

static void a_delete_removes_all_digests_of_a_manifest(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text = image_of(sha256_of("config"), "x", NULL);
    struct digest digests[] = {sha256_of(text), sha512_of(text)};
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
        push_sha512(store, "long", text);
        push_manifest(store, "a", "short", IMAGE_TYPE, text);
        assert_int_equal(store_delete_manifest(store, "a", &digests[i], NULL, &err), 0);
        assert_false(has_manifest(store, "a", digests[0]));
        assert_false(has_manifest(store, "a", digests[1]));
        assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "");
    }
}

static void a_delete_removes_its_tags_and_no_others(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest one = push_image(store, "a", "one", "1", NULL),
                  two = push_image(store, "a", "two", "2", NULL);
    struct error err = {0};

    (void)state;
    push_image(store, "a", "also-one", "1", NULL);
    push_image(store, "a", "moved", "1", NULL);
    push_image(store, "a", "moved", "2", NULL);
    push_image(store, "b", "one", "1", NULL);
    assert_int_equal(store_delete_manifest(store, "a", &one, NULL, &err), 0);
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "moved two ");
    assert_false(has_manifest(store, "a", one));
    assert_true(has_manifest(store, "a", two));
    assert_true(has_manifest(store, "b", one));
    assert_string_equal(tags_of(store, "b", NULL, SIZE_MAX), "one ");
    assert_int_equal(store_delete_manifest(store, "a", &one, NULL, &err), STORE_NOT_FOUND);
    assert_is_absent(below("repositories/a/_manifests/tags/one"));
    assert_is_absent(below("repositories/a/_manifests/revisions/sha256/%s", one.hex));
}

static void a_delete_among_many_tags_leaves_the_others(void **state)
{
    enum { MANY = 3000 };
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest one = push_image(store, "a", "one", "1", NULL),
                  two = push_image(store, "a", "two", "2", NULL);
    struct error err = {0};

    (void)state;
    for (int i = 0; i < MANY; i++)
        make_file(below("repositories/a/_manifests/tags/t%d/current/link", i), text_of(two));
    assert_int_equal(store_delete_manifest(store, "a", &one, NULL, &err), 0);
    assert_int_equal(tag_of(store, "a", "one").hex[0], '\0');
    assert_string_equal(text_of(tag_of(store, "a", "t2999")), text_of(two));
}

static void many_tags_can_be_pushed_at_once(void **state)
{
    enum { COUNT = 100 };
    CLEANUP(store_closep) struct store *store = open_store();
    const char *text = image_of(sha256_of("config"), "x", NULL), *tags[COUNT];
    char names[COUNT][8];
    struct store_manifest manifest = {
        .digest = sha256_of(text),
        .media_type = IMAGE_TYPE,
        .bytes = text,
        .size = strlen(text),
        .tags = tags,
        .tag_count = COUNT,
    };
    struct error err = {0};

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        tags[i] = names[i];
    }
    assert_int_equal(store_put_manifest(store, "a", &manifest, &err), 0);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(tag_of(store, "a", names[i]).hex, manifest.digest.hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_manifest_is_stored_where_registry_2_expects_it),
        scratch_test(registry_2_recognises_a_repository_with_only_manifests),
        scratch_test(a_manifest_is_returned_as_pushed),
        scratch_test(the_type_is_returned_as_pushed),
        scratch_test(a_manifest_without_a_recognisable_type_is_served),
        scratch_test(a_link_without_data_is_not_a_manifest),
        scratch_test(a_manifest_keeps_the_digest_it_was_pushed_by),
        scratch_test(a_delete_removes_all_digests_of_a_manifest),
        scratch_test(a_delete_removes_its_tags_and_no_others),
        scratch_test(a_delete_among_many_tags_leaves_the_others),
        scratch_test(many_tags_can_be_pushed_at_once),
    };

    return cmocka_run_group_tests_name("store-manifests", tests, NULL, NULL);
}
