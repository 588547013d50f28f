#include "registry/core/digest-set.h"

#include <string.h>

#include "tests/unit/registry-core/support.h"

/* Returns the id of a number, distributed by a multiplication. */
static struct digest_id id_of(unsigned number)
{
    struct digest_id id = {{0}};
    unsigned spread = number * 2654435761u;

    memcpy(id.bytes, &spread, sizeof(spread));
    memcpy(id.bytes + 8, &number, sizeof(number));
    return id;
}

static void an_id_is_a_digest(void **state)
{
    struct digest digest = sha256_of("hello"), back;
    struct digest_id id = digest_id_of(&digest);

    (void)state;
    assert_int_equal(id.bytes[0], 0x2c);
    assert_int_equal(id.bytes[31], 0x24);
    digest_id_format(&id, &back);
    assert_true(digest_is_equal(&digest, &back));
}

static void a_set_has_what_was_added(void **state)
{
    CLEANUP(digest_set_done) struct digest_set set = {0};
    struct digest_id id = id_of(0);

    (void)state;
    assert_false(digest_set_has(&set, &id));
    digest_set_sort(&set);
    for (unsigned i = 0; i < 1000; i += 2) {
        id = id_of(i);
        assert_int_equal(digest_set_add(&set, &id), 0);
    }
    digest_set_sort(&set);
    for (unsigned i = 0; i < 1000; i++) {
        id = id_of(i);
        assert_int_equal(digest_set_has(&set, &id), i % 2 == 0);
    }
}

/* Adding the same few ids a million times does not use memory for a million. */
static void duplicates_use_no_memory(void **state)
{
    CLEANUP(digest_set_done) struct digest_set set = {0};
    size_t most = 0;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        struct digest_id id = id_of(i % 50000);

        assert_int_equal(digest_set_add(&set, &id), 0);
        most = set.count > most ? set.count : most;
    }
    digest_set_sort(&set);
    assert_int_equal(set.count, 50000);
    assert_true(most <= 100001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_a_digest),
        cmocka_unit_test(a_set_has_what_was_added),
        cmocka_unit_test(duplicates_use_no_memory),
    };

    return cmocka_run_group_tests_name("store-digest-set", tests, NULL, NULL);
}
