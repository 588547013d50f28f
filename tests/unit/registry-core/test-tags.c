#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/registry-core/support.h"

static void a_tag_moves(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest one = push_image(store, "a", "t", "1", NULL), two;

    (void)state;
    assert_string_equal(text_of(tag_of(store, "a", "t")), text_of(one));
    two = push_image(store, "a", "t", "2", NULL);
    assert_string_equal(text_of(tag_of(store, "a", "t")), text_of(two));
    assert_file_is(below("repositories/a/_manifests/tags/t/index/sha256/%s/link", one.hex),
                   text_of(one));
    assert_file_is(below("repositories/a/_manifests/tags/t/index/sha256/%s/link", two.hex),
                   text_of(two));
}

static void a_tag_can_be_put_separately(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_image(store, "a", NULL, "1", NULL);
    struct error err = {0};

    (void)state;
    assert_int_equal(store_put_tag(store, "a", "t", &digest, &err), 0);
    assert_string_equal(text_of(tag_of(store, "a", "t")), text_of(digest));
    assert_file_is(below("repositories/a/_manifests/tags/t/index/sha256/%s/link", digest.hex),
                   text_of(digest));
}

static void a_deleted_tag_keeps_its_manifest(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_image(store, "a", "t", "1", NULL);
    struct error err = {0};

    (void)state;
    assert_int_equal(store_delete_tag(store, "a", "t", NULL, &err), 0);
    assert_int_equal(tag_of(store, "a", "t").hex[0], '\0');
    assert_true(has_manifest(store, "a", digest));
    assert_is_absent(below("repositories/a/_manifests/tags/t"));
    assert_int_equal(store_delete_tag(store, "a", "t", NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_delete_tag(store, "b", "t", NULL, &err), STORE_NOT_FOUND);
    assert_string_equal(tags_of(store, "a", NULL, SIZE_MAX), "");
}

static void a_tag_that_cannot_be_read_can_be_deleted(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct error err = {0};
    struct digest digest;

    (void)state;
    push_image(store, "a", "t", "1", NULL);
    make_file(below("repositories/a/_manifests/tags/t/current/link"), "nonsense");
    assert_int_equal(store_resolve_tag(store, "a", "t", STORE_MAY_WAIT, &digest, &err), -EBADMSG);
    assert_int_equal(store_delete_tag(store, "a", "t", NULL, &err), 0);
    assert_int_equal(tag_of(store, "a", "t").hex[0], '\0');
}

static void tags_are_listed_in_pages(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static const char *const tags[] = {"v10", "b", "C", "a", "v1", "_", "v1.0"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        push_image(store, "r", tags[i], "1", NULL);
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "C _ a b v1 v1.0 v10 ");
    assert_string_equal(tags_of(store, "r", NULL, 2), "C _ +");
    assert_string_equal(tags_of(store, "r", "_", 2), "a b +");
    assert_string_equal(tags_of(store, "r", "b", 3), "v1 v1.0 v10 ");
    assert_string_equal(tags_of(store, "r", "bb", 1), "v1 +");
    assert_string_equal(tags_of(store, "r", "v10", 3), "");
    assert_string_equal(tags_of(store, "r", NULL, 0), "");
    assert_string_equal(tags_of(store, "r", NULL, 7), "C _ a b v1 v1.0 v10 ");
}

static void leftovers_of_a_crash_are_not_tags(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    push_image(store, "r", "b", "1", NULL);
    make_directory(below("repositories/r/_manifests/tags/a/current"));
    make_file(below("repositories/r/_manifests/tags/c/index/sha256/0/link"), "");
    make_file(below("repositories/r/_manifests/tags/.nfs0001/current/link"), "");
    assert_string_equal(tags_of(store, "r", NULL, SIZE_MAX), "b ");
    assert_string_equal(tags_of(store, "r", NULL, 1), "b ");
    assert_int_equal(tag_of(store, "r", "a").hex[0], '\0');
}

static void only_a_repository_with_manifests_has_a_list_of_tags(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    push_blob(store, "blobs", "1");
    push_image(store, "untagged", NULL, "1", NULL);
    assert_string_equal(tags_of(store, "nowhere", NULL, SIZE_MAX), "none");
    assert_string_equal(tags_of(store, "blobs", NULL, SIZE_MAX), "none");
    assert_string_equal(tags_of(store, "untagged", NULL, SIZE_MAX), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_tag_moves),
        scratch_test(a_tag_can_be_put_separately),
        scratch_test(a_deleted_tag_keeps_its_manifest),
        scratch_test(a_tag_that_cannot_be_read_can_be_deleted),
        scratch_test(tags_are_listed_in_pages),
        scratch_test(leftovers_of_a_crash_are_not_tags),
        scratch_test(only_a_repository_with_manifests_has_a_list_of_tags),
    };

    return cmocka_run_group_tests_name("store-tags", tests, NULL, NULL);
}
