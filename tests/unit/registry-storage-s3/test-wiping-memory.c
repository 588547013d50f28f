/*
 * Memory for libcurl: which blocks are kept for the next use, and that secrets are wiped.
 */
#include "registry/storage/s3/wiping-memory.h"

#include <string.h>

#include "tests/unit/check.h"

enum { LARGE = 512 << 10, MANY = 40 };

static void a_large_block_is_used_again(void **state)
{
    void *first, *second;

    (void)state;
    wiping_memory_keep_spares();
    first = wiping_malloc(LARGE);
    wiping_free(first);
    second = wiping_malloc(LARGE - 1000);
    assert_ptr_equal(second, first);
    wiping_free(second);
    wiping_memory_drop_spares(false);
}

static void a_block_is_not_used_for_something_much_smaller(void **state)
{
    void *large, *small;

    (void)state;
    wiping_memory_keep_spares();
    large = wiping_malloc(LARGE);
    wiping_free(large);
    small = wiping_malloc(LARGE / 4);
    assert_ptr_not_equal(small, large);
    wiping_free(small);
    assert_ptr_equal(wiping_malloc(LARGE), large);
    wiping_free(large);
    wiping_memory_drop_spares(false);
}

/* A leak or a double free would end the test under valgrind or ASan. */
static void more_blocks_than_are_kept_are_freed(void **state)
{
    void *blocks[MANY];

    (void)state;
    wiping_memory_keep_spares();
    for (size_t i = 0; i < MANY; i++)
        blocks[i] = wiping_malloc(LARGE);
    for (size_t i = 0; i < MANY; i++)
        wiping_free(blocks[i]);
    wiping_memory_drop_spares(true);
    wiping_free(wiping_malloc(LARGE));
    wiping_memory_drop_spares(false);
    wiping_free(wiping_malloc(LARGE));
}

static void a_block_that_is_kept_has_no_secret(void **state)
{
    char *block;

    (void)state;
    wiping_memory_set(MEMORY_OF_SECRETS);
    wiping_memory_keep_spares();
    block = wiping_malloc(LARGE);
    memset(block, 's', LARGE);
    wiping_free(block);
    block = wiping_malloc(LARGE);
    assert_null(memchr(block, 's', LARGE));
    wiping_free(block);
    wiping_memory_drop_spares(false);
    wiping_memory_set(MEMORY_USUAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_block_is_used_again),
        cmocka_unit_test(a_block_is_not_used_for_something_much_smaller),
        cmocka_unit_test(more_blocks_than_are_kept_are_freed),
        cmocka_unit_test(a_block_that_is_kept_has_no_secret),
    };

    return cmocka_run_group_tests_name("wiping-memory", tests, NULL, NULL);
}
