#include "helper/pass/change.h"

#include "tests/unit/check.h"

static void a_change_has_its_path_and_pass_s_name(void **state)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};

    (void)state;
    assert_int_equal(pass_changes_add(&changes, false, "YQ==", "user.gpg"), 0);
    assert_int_equal(pass_changes_add(&changes, true, "YQ==", "a/b.gpg.gpg"), 0);
    assert_int_equal(pass_changes_add(&changes, true, "YQ==", NULL), 0);
    assert_int_equal(changes.count, 3);
    assert_false(changes.items[0].is_removal);
    assert_string_equal(changes.items[0].path, "docker-credential-helpers/YQ==/user.gpg");
    assert_string_equal(changes.items[0].name, "docker-credential-helpers/YQ==/user");
    assert_true(changes.items[1].is_removal);
    assert_string_equal(changes.items[1].path, "docker-credential-helpers/YQ==/a/b.gpg.gpg");
    assert_string_equal(changes.items[1].name, "docker-credential-helpers/YQ==/a/b.gpg");
    assert_true(changes.items[2].is_removal);
    assert_string_equal(changes.items[2].path, "docker-credential-helpers/YQ==");
    assert_string_equal(changes.items[2].name, "docker-credential-helpers/YQ==");
}

static void any_number_of_changes_is_kept_in_order(void **state)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    char file[] = "?.gpg";

    (void)state;
    for (size_t i = 0; i < 26; i++) {
        file[0] = (char)('a' + i);
        assert_int_equal(pass_changes_add(&changes, true, "F", file), 0);
    }
    assert_int_equal(changes.count, 26);
    for (size_t i = 0; i < 26; i++)
        assert_int_equal(changes.items[i].name[sizeof("docker-credential-helpers/F/") - 1], 'a' + i);
}

static void freed_changes_are_empty(void **state)
{
    struct pass_changes changes = {0};

    (void)state;
    pass_changes_done(&changes);
    assert_int_equal(pass_changes_add(&changes, false, "F", "a.gpg"), 0);
    pass_changes_done(&changes);
    assert_int_equal(changes.count, 0);
    assert_null(changes.items);
    pass_changes_done(&changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_has_its_path_and_pass_s_name),
        cmocka_unit_test(any_number_of_changes_is_kept_in_order),
        cmocka_unit_test(freed_changes_are_empty),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
