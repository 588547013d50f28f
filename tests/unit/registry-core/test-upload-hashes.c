#include "registry/core/upload-hashes.h"

#include <stdio.h>

#include "tests/unit/check.h"

static struct upload_hash hash_of_some(uint64_t hashed)
{
    struct upload_hash hash = {.hashed = hashed};

    assert_int_equal(hasher_new(DIGEST_SHA256, &hash.sha256), 0);
    return hash;
}

static struct storage_upload_state state_of(uint64_t size, uint64_t version)
{
    return (struct storage_upload_state){.size = size, .version = {{version}}};
}

/* Whether a hash of 5 bytes that was kept for one state is returned for another. */
static bool is_taken(struct storage_upload_state kept, struct storage_upload_state wanted,
                     const char *name)
{
    struct upload_hashes *hashes = upload_hashes_new();
    struct upload_hash hash = hash_of_some(5), found;
    bool result;

    upload_hashes_keep(hashes, "a", "1", &kept, &hash);
    assert_null(hash.sha256);
    upload_hashes_take(hashes, name, "1", &wanted, &found);
    result = found.sha256 && found.hashed == 5;
    upload_hash_done(&found);
    upload_hashes_free(hashes);
    return result;
}

static void a_hash_is_returned_only_for_its_state(void **state)
{
    (void)state;
    assert_true(is_taken(state_of(5, 1), state_of(5, 1), "a"));
    assert_false(is_taken(state_of(5, 1), state_of(5, 2),
                          "a")); /* another server has written in the meantime */
    assert_false(is_taken(state_of(5, 1), state_of(6, 1), "a"));
    assert_false(
        is_taken(state_of(6, 1), state_of(6, 1), "a")); /* the hash does not cover all bytes */
    assert_false(is_taken(state_of(5, 1), state_of(5, 1), "b"));
    upload_hashes_free(NULL);
}

static void a_hash_is_taken_once_and_replaced(void **state)
{
    struct upload_hashes *hashes = upload_hashes_new();
    struct storage_upload_state five = state_of(5, 1), seven = state_of(7, 2);
    struct upload_hash hash = hash_of_some(5), found;

    (void)state;
    upload_hashes_keep(hashes, "a", "1", &five, &hash);
    hash = hash_of_some(7);
    upload_hashes_keep(hashes, "a", "1", &seven, &hash);
    upload_hashes_take(hashes, "a", "1", &seven, &found);
    assert_int_equal(found.hashed, 7);
    upload_hash_done(&found);
    upload_hashes_take(hashes, "a", "1", &seven, &found);
    assert_null(found.sha256);
    upload_hashes_free(hashes);
}

static void the_oldest_hashes_are_dropped(void **state)
{
    enum { KEPT = 1024, MORE = 10 };
    struct upload_hashes *hashes = upload_hashes_new();
    struct upload_hash hash;
    char id[16];

    (void)state;
    for (uint64_t i = 0; i < KEPT + MORE; i++) {
        struct storage_upload_state kept = state_of(i, i);

        snprintf(id, sizeof(id), "%d", (int)i);
        hash = hash_of_some(i);
        upload_hashes_keep(hashes, "a", id, &kept, &hash);
    }
    for (uint64_t i = 0; i < KEPT + MORE; i++) {
        struct storage_upload_state kept = state_of(i, i);

        snprintf(id, sizeof(id), "%d", (int)i);
        upload_hashes_take(hashes, "a", id, &kept, &hash);
        assert_true(i < MORE ? !hash.sha256 : hash.sha256 && hash.hashed == i);
        upload_hash_done(&hash);
    }
    upload_hashes_free(hashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_returned_only_for_its_state),
        cmocka_unit_test(a_hash_is_taken_once_and_replaced),
        cmocka_unit_test(the_oldest_hashes_are_dropped),
    };

    return cmocka_run_group_tests_name("core-upload-hashes", tests, NULL, NULL);
}
