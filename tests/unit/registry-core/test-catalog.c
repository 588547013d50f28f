#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static void repositories_are_listed_in_pages(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static const char *const names[] = {"b", "a/b/c", "a-b", "a", "a.b/x", "a0", "a/b", "c/d"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        push_blob(store, names[i], "1");
    assert_string_equal(repositories_of(store, NULL, SIZE_MAX), "a a/b a/b/c a-b a.b/x a0 b c/d ");
    assert_string_equal(repositories_of(store, NULL, 1), "a +");
    assert_string_equal(repositories_of(store, "a", 2), "a/b a/b/c +");
    assert_string_equal(repositories_of(store, "a/b", 2), "a/b/c a-b +");
    assert_string_equal(repositories_of(store, "a/b/c", 2), "a-b a.b/x +");
    assert_string_equal(repositories_of(store, "a-b", 8), "a.b/x a0 b c/d ");
    assert_string_equal(repositories_of(store, "a/zzz", 1), "a-b +");
    assert_string_equal(repositories_of(store, "c/d", 8), "");
    assert_string_equal(repositories_of(store, NULL, 0), "");
    assert_string_equal(repositories_of(store, NULL, 8), "a a/b a/b/c a-b a.b/x a0 b c/d ");
}

/* Every page size results in the same list. */
static void pages_join_up(void **state)
{
    enum { COUNT = 60 };
    CLEANUP(store_closep) struct store *store = open_store();
    char whole[4096];

    (void)state;
    for (int i = 0; i < COUNT; i++)
        make_directory(below("repositories/%c%s%c%s%d/_layers", 'a' + i % 3, i % 2 ? "/" : "-",
                             'x' + i % 2, i % 5 ? "/" : ".", i % 7));
    snprintf(whole, sizeof(whole), "%s", repositories_of(store, NULL, SIZE_MAX));
    for (size_t n = 1; n < 9; n++) {
        char joined[4096] = "", last[256] = "";
        bool has_more = true;

        while (has_more) {
            CLEANUP(store_names_done) struct store_names names = {0};
            struct error err = {0};

            assert_int_equal(
                store_list_repositories(store, *last ? last : NULL, n, NULL, &names, &err), 0);
            for (size_t i = 0; i < names.count; i++) {
                size_t used = strlen(joined);

                snprintf(joined + used, sizeof(joined) - used, "%s ", names.items[i]);
                snprintf(last, sizeof(last), "%s", names.items[i]);
            }
            has_more = names.has_more;
            assert_true(!has_more || names.count == n);
        }
        assert_string_equal(joined, whole);
    }
}

/* A server that stops must not wait until a list of a hundred thousand names is complete. */
static void lists_end_after_a_cancellation(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(store_names_done) struct store_names names = {0};
    const char *bytes = "{}";
    struct digest digest;
    struct error err = {0};

    (void)state;
    push_blob(store, "a", "1");
    assert_int_equal(digest_of(DIGEST_SHA256, bytes, strlen(bytes), &digest), 0);
    assert_int_equal(store_put_tag(store, "a", "t", &digest, &err), 0);
    store_cancel(store);
    assert_int_equal(store_list_repositories(store, NULL, SIZE_MAX, NULL, &names, &err),
                     -ECANCELED);
    assert_says(&err, "the server is stopping");
    assert_int_equal(store_list_tags(store, "a", NULL, SIZE_MAX, &names, &err), -ECANCELED);
    assert_int_equal(
        store_find_blob(store, "a", &digest, STORE_MAY_WAIT, &(struct store_blob){0}, &err),
        STORE_NOT_FOUND);
}

static void a_directory_with_blobs_or_manifests_is_a_repository(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();

    (void)state;
    assert_string_equal(repositories_of(store, NULL, SIZE_MAX), "");
    make_directory(below("repositories/layers/_layers"));
    make_directory(below("repositories/manifests/_manifests"));
    make_directory(below("repositories/uploads/_uploads"));
    make_directory(below("repositories/empty"));
    make_directory(below("repositories/UPPER/_layers"));
    make_directory(below("repositories/deep/_layers/_layers"));
    make_file(below("repositories/file"), "");
    assert_string_equal(repositories_of(store, NULL, SIZE_MAX), "deep layers manifests ");
}

/* A name that is too long for a repository, and one of the maximum length. */
static void depth_is_bounded(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    char name[300], deepest[512];

    (void)state;
    for (size_t i = 0; i < 255; i++)
        name[i] = i % 2 ? '/' : 'a';
    name[255] = '\0';
    push_blob(store, name, "1");
    make_directory(below("repositories/%s/a/a/_layers", name));
    snprintf(deepest, sizeof(deepest), "%s ", name);
    assert_string_equal(repositories_of(store, NULL, SIZE_MAX), deepest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(repositories_are_listed_in_pages),
        scratch_test(pages_join_up),
        scratch_test(lists_end_after_a_cancellation),
        scratch_test(a_directory_with_blobs_or_manifests_is_a_repository),
        scratch_test(depth_is_bounded),
    };

    return cmocka_run_group_tests_name("store-catalog", tests, NULL, NULL);
}
