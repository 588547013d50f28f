#include "common/secure-arena.h"

#include "common/secbuf.h"
#include "tests/unit/check.h"

static void allocations_do_not_overlap_and_are_aligned(void **state)
{
    enum { COUNT = 5000 };
    static struct { unsigned char *at; size_t size; } pieces[COUNT];
    struct secure_arena *arena = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        pieces[i].size = i * 7 % 100;
        pieces[i].at = secure_arena_take(&arena, pieces[i].size);
        assert_non_null(pieces[i].at);
        assert_int_equal((uintptr_t)pieces[i].at % sizeof(void *), 0);
        for (size_t at = 0; at < pieces[i].size; at++)
            pieces[i].at[at] = (unsigned char)i;
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t at = 0; at < pieces[i].size; at++)
            assert_int_equal(pieces[i].at[at], (unsigned char)i);
    secure_arena_free(arena);
}

static void an_allocation_may_be_larger_than_a_block(void **state)
{
    static const size_t sizes[] = {1, 4 << 10, (4 << 10) + 1, 1 << 20, 5 << 20, 1, 9 << 20};
    struct secure_arena *arena = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        unsigned char *piece = secure_arena_take(&arena, sizes[i]);

        assert_non_null(piece);
        piece[0] = piece[sizes[i] - 1] = 1;
    }
    secure_arena_free(arena);
}

static void a_failed_allocation_is_null_and_keeps_the_arena(void **state)
{
    static const size_t sizes[] = {SECBUF_MAX + 1, SIZE_MAX / 2, SIZE_MAX - 8, SIZE_MAX};
    struct secure_arena *arena = NULL, *before;

    (void)state;
    assert_null(secure_arena_take(&arena, SIZE_MAX));
    assert_null(arena);
    assert_non_null(secure_arena_take(&arena, 10));
    before = arena;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        assert_null(secure_arena_take(&arena, sizes[i]));
    assert_ptr_equal(arena, before);
    assert_non_null(secure_arena_take(&arena, 10));
    secure_arena_free(arena);
}

static void an_empty_arena_can_be_freed(void **state)
{
    struct secure_arena *arena = NULL;

    (void)state;
    secure_arena_free(NULL);
    assert_non_null(secure_arena_take(&arena, 0));
    secure_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap_and_are_aligned),
        cmocka_unit_test(an_allocation_may_be_larger_than_a_block),
        cmocka_unit_test(a_failed_allocation_is_null_and_keeps_the_arena),
        cmocka_unit_test(an_empty_arena_can_be_freed),
    };

    return cmocka_run_group_tests_name("secure-arena", tests, NULL, NULL);
}
