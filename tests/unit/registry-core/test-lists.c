#include <string.h>

#include "registry/core/lists.h"
#include "tests/unit/registry-core/support.h"

static void digests_are_sorted_without_duplicates(void **state)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct digest digest;

    (void)state;
    store_digests_sort(&digests);
    for (int round = 0; round < 2; round++) {
        for (char c = 'z'; c >= 'a'; c--) {
            char text[] = {c, '\0'};

            digest = sha512_of(text);
            assert_int_equal(store_digests_add(&digests, &digest), 0);
            digest = sha256_of(text);
            assert_int_equal(store_digests_add(&digests, &digest), 0);
        }
    }
    store_digests_sort(&digests);
    assert_int_equal(digests.count, 52);
    for (size_t i = 1; i < digests.count; i++)
        assert_true(strcmp(text_of(digests.items[i - 1]), text_of(digests.items[i])) < 0);
    digest = sha256_of("q");
    assert_true(store_digests_has(&digests, &digest));
    digest = sha256_of("Q");
    assert_false(store_digests_has(&digests, &digest));
}

static void an_empty_list_has_nothing(void **state)
{
    struct store_digests digests = {0};
    struct digest digest = sha256_of("");

    (void)state;
    assert_false(store_digests_has(&digests, &digest));
    store_digests_done(&digests);
}

static void only_digests_are_listed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    struct digest one = sha256_of("1");
    struct key directory = key_layers("a", DIGEST_SHA256);
    struct error err = {0};

    (void)state;
    assert_int_equal(store_list_digests(store, &directory, DIGEST_SHA256, &digests, &err), 0);
    assert_int_equal(digests.count, 0);
    make_directory(below("repositories/a/_layers/sha256/%s", one.hex));
    make_directory(below("repositories/a/_layers/sha256/%s0", one.hex));
    make_directory(below("repositories/a/_layers/sha256/%.63s", one.hex));
    make_directory(below("repositories/a/_layers/sha256/.nfs"));
    make_directory(below("repositories/a/_layers/sha256/%s", sha512_of("1").hex));
    assert_int_equal(store_list_digests(store, &directory, DIGEST_SHA256, &digests, &err), 0);
    assert_int_equal(digests.count, 1);
    assert_string_equal(digests.items[0].hex, one.hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_sorted_without_duplicates),
        cmocka_unit_test(an_empty_list_has_nothing),
        scratch_test(only_digests_are_listed),
    };

    return cmocka_run_group_tests_name("store-lists", tests, NULL, NULL);
}
