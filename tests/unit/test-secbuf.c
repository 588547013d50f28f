#include "common/secbuf.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

static void content_is_kept_while_the_buffer_grows(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};

    (void)state;
    for (int i = 0; i < 5000; i++) {
        const char bytes[3] = {(char)i, (char)(i >> 8), 'x'};

        assert_int_equal(secbuf_append(&buf, bytes, sizeof(bytes)), 0);
        assert_true(buf.size <= buf.capacity);
    }
    assert_int_equal(buf.size, 15000);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(buf.data[3 * i], i & 0xFF);
        assert_int_equal(buf.data[3 * i + 1], i >> 8);
    }
}

static void bytes_of_any_value_are_kept(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};

    (void)state;
    assert_int_equal(secbuf_append(&buf, "\0\xFF", 2), 0);
    assert_int_equal(secbuf_append(&buf, "a\0", 2), 0);
    assert_holds(&buf, "\0\xFF" "a\0");
}

static void appending_nothing_changes_nothing(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};

    (void)state;
    assert_int_equal(secbuf_append(&buf, NULL, 0), 0);
    assert_holds(&buf, "");
    assert_int_equal(secbuf_append(&buf, "a", 1), 0);
    assert_int_equal(secbuf_append(&buf, NULL, 0), 0);
    assert_holds(&buf, "a");
}

static void reserving_changes_no_byte(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};
    unsigned char *data;

    (void)state;
    assert_int_equal(secbuf_append(&buf, "abc", 3), 0);
    assert_int_equal(secbuf_reserve(&buf, 100000), 0);
    assert_true(buf.capacity >= 100003);
    assert_holds(&buf, "abc");
    data = buf.data;
    assert_int_equal(secbuf_reserve(&buf, buf.capacity - buf.size), 0);
    assert_ptr_equal(buf.data, data);
}

static void a_buffer_of_no_capacity_has_no_data(void **state)
{
    struct secbuf buf = {0};

    (void)state;
    assert_int_equal(secbuf_reserve(&buf, 0), 0);
    assert_true((buf.data == NULL) == (buf.capacity == 0));
    secbuf_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
}

static void the_maximum_size_is_the_documented_one(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};

    (void)state;
    assert_int_equal(secbuf_append(&buf, "abc", 3), 0);
    assert_int_equal(secbuf_reserve(&buf, SECBUF_MAX - 3), 0);
    assert_true(buf.capacity >= SECBUF_MAX);
    assert_int_equal(secbuf_reserve(&buf, SECBUF_MAX - 2), -ENOMEM);
    assert_holds(&buf, "abc");
}

static void a_failed_append_leaves_the_buffer_unchanged(void **state)
{
    static const size_t sizes[] = {SECBUF_MAX, SECBUF_MAX + 1, SIZE_MAX / 2 + 1, SIZE_MAX - 1, SIZE_MAX};
    CLEANUP(secbuf_done) struct secbuf buf = {0};
    struct secbuf before;

    (void)state;
    assert_int_equal(secbuf_append(&buf, "abc", 3), 0);
    before = buf;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        assert_int_equal(secbuf_reserve(&buf, sizes[i]), -ENOMEM);
        assert_int_equal(secbuf_append(&buf, "", sizes[i]), -ENOMEM);
        assert_memory_equal(&buf, &before, sizeof(buf));
        assert_holds(&buf, "abc");
    }
}

static void truncating_wipes_the_removed_bytes(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};
    static const unsigned char zeros[7];

    (void)state;
    assert_int_equal(secbuf_append(&buf, "passphrase", 10), 0);
    secbuf_truncate(&buf, 3);
    assert_holds(&buf, "pas");
    assert_memory_equal(buf.data + 3, zeros, 7);
    secbuf_truncate(&buf, 0);
    assert_memory_equal(buf.data, zeros, 7);
    assert_holds(&buf, "");
}

static void truncating_never_lengthens(void **state)
{
    CLEANUP(secbuf_done) struct secbuf buf = {0};

    (void)state;
    secbuf_truncate(&buf, 0);
    secbuf_truncate(&buf, 5);
    assert_holds(&buf, "");
    assert_int_equal(secbuf_append(&buf, "abc", 3), 0);
    secbuf_truncate(&buf, 3);
    secbuf_truncate(&buf, 4);
    secbuf_truncate(&buf, SIZE_MAX);
    assert_holds(&buf, "abc");
}

static void a_freed_buffer_is_empty_and_can_be_used_again(void **state)
{
    struct secbuf buf = {0};

    (void)state;
    assert_int_equal(secbuf_append(&buf, "abc", 3), 0);
    secbuf_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.capacity, 0);
    assert_int_equal(secbuf_append(&buf, "d", 1), 0);
    assert_holds(&buf, "d");
    secbuf_done(&buf);
    secbuf_done(&buf);
    secbuf_done(NULL);
}

static bool are_equal(const char *a, size_t a_size, const char *b, size_t b_size)
{
    CLEANUP(secbuf_done) struct secbuf left = {0}, right = {0};

    assert_int_equal(secbuf_append(&left, a, a_size), 0);
    assert_int_equal(secbuf_append(&right, b, b_size), 0);
    return secbuf_is_equal(&left, &right);
}

static void equal_is_the_same_bytes(void **state)
{
    (void)state;
    assert_true(are_equal("", 0, "", 0));
    assert_true(are_equal("abc", 3, "abc", 3));
    assert_true(are_equal("a\0b", 3, "a\0b", 3));
    assert_false(are_equal("a\0b", 3, "a\0c", 3));
    assert_false(are_equal("abc", 3, "abd", 3));
    assert_false(are_equal("xbc", 3, "abc", 3));
    assert_false(are_equal("abc", 3, "abcd", 4));
    assert_false(are_equal("abc", 3, "ab", 2));
    assert_false(are_equal("", 0, "\0", 1));
    /* Differences that would cancel each other out in a sum. */
    assert_false(are_equal("ab", 2, "ba", 2));
    assert_false(are_equal("\x01\x01", 2, "\x02\x02", 2));
}

static void empty_buffers_are_equal_whatever_their_memory(void **state)
{
    CLEANUP(secbuf_done) struct secbuf never_used = {0}, emptied = {0};

    (void)state;
    assert_int_equal(secbuf_append(&emptied, "abc", 3), 0);
    secbuf_truncate(&emptied, 0);
    assert_true(secbuf_is_equal(&never_used, &emptied));
}

static void plain_secure_memory_can_have_any_size(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 100000, 10 << 20};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        unsigned char *memory = secure_malloc(sizes[i]);

        assert_non_null(memory);
        for (size_t at = 0; at < sizes[i]; at += 4096)
            memory[at] = 1;
        secure_free(memory);
    }
    secure_free(NULL);
}

static void a_failed_allocation_returns_null(void **state)
{
    (void)state;
    assert_null(secure_malloc((size_t)1 << 46));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_kept_while_the_buffer_grows),
        cmocka_unit_test(bytes_of_any_value_are_kept),
        cmocka_unit_test(appending_nothing_changes_nothing),
        cmocka_unit_test(reserving_changes_no_byte),
        cmocka_unit_test(a_buffer_of_no_capacity_has_no_data),
        cmocka_unit_test(the_maximum_size_is_the_documented_one),
        cmocka_unit_test(a_failed_append_leaves_the_buffer_unchanged),
        cmocka_unit_test(truncating_wipes_the_removed_bytes),
        cmocka_unit_test(truncating_never_lengthens),
        cmocka_unit_test(a_freed_buffer_is_empty_and_can_be_used_again),
        cmocka_unit_test(equal_is_the_same_bytes),
        cmocka_unit_test(empty_buffers_are_equal_whatever_their_memory),
        cmocka_unit_test(plain_secure_memory_can_have_any_size),
        cmocka_unit_test(a_failed_allocation_returns_null),
    };

    return cmocka_run_group_tests_name("secbuf", tests, NULL, NULL);
}
