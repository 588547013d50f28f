#include "helper/pass/remove.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/pass/recover.h"
#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

/* Opens docker's directory as a verb does, and removes the server. */
static int remove_server(struct pass_changes *changes, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = lock_store();
    struct pass_path path = path_of(URL, NULL);

    assert_int_equal(pass_store_open_directory(&store, false, err), 0);
    return pass_remove_server(&store, &path, changes, err);
}

static void assert_removed(size_t change_count)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error err = {0};

    assert_int_equal(remove_server(&changes, &err), 0);
    assert_int_equal(changes.count, change_count);
}

static void a_server_is_removed_with_all_its_entries(void **state)
{
    (void)state;
    make_file(BELOW_SERVER "a.gpg", "");
    make_file(BELOW_SERVER "team/b.gpg", "");
    make_file(BELOW_SERVER "notes.txt", "");
    make_file(BELOW_DIRECTORY "b3RoZXI=/user.gpg", "other");
    assert_removed(1);
    assert_tree_is("store/" PASS_DIRECTORY, "b3RoZXI=/\nb3RoZXI=/user.gpg\n");
}

static void docker_s_directory_is_removed_with_the_last_server_but_never_the_root(void **state)
{
    (void)state;
    make_file("store/.gpg-id", "key\n");
    make_file(BELOW_SERVER "a.gpg", "");
    assert_removed(1);
    assert_tree_is("store", ".gpg-id\n");
}

static void removing_a_missing_server_changes_nothing(void **state)
{
    (void)state;
    assert_removed(0);
    make_file(BELOW_DIRECTORY "b3RoZXI=/user.gpg", "other");
    assert_removed(0);
    assert_file_is(BELOW_DIRECTORY "b3RoZXI=/user.gpg", "other");
}

static void a_link_is_removed_and_its_target_stays(void **state)
{
    (void)state;
    make_file("elsewhere/user.gpg", "kept");
    make_directory(BELOW_SERVER);
    make_link(BELOW_SERVER "team", "../../../elsewhere");
    assert_removed(1);
    assert_file_is("elsewhere/user.gpg", "kept");
    assert_is_absent(BELOW_DIRECTORY SERVER);
}

static void a_server_that_is_a_link_is_removed_without_its_target(void **state)
{
    (void)state;
    make_file("elsewhere/user.gpg", "kept");
    make_file(BELOW_DIRECTORY "b3RoZXI=/user.gpg", "other");
    make_link(BELOW_DIRECTORY SERVER, "../../elsewhere");
    assert_removed(1);
    assert_tree_is("elsewhere", "user.gpg\n");
    assert_is_absent(BELOW_DIRECTORY SERVER);
}

/* --- recovery ------------------------------------------------------------------- */

static void recover(void)
{
    CLEANUP(pass_store_done) struct pass_store store = open_store();

    pass_recover(store.directory_fd);
}

static void leftovers_of_a_killed_writer_are_removed(void **state)
{
    (void)state;
    make_file(BELOW_DIRECTORY PASS_TEMPORARY, "half");
    make_directory(BELOW_SERVER "team/deeper");
    make_file(BELOW_DIRECTORY "b3RoZXI=/user.gpg", "kept");
    recover();
    assert_tree_is("store/" PASS_DIRECTORY, "b3RoZXI=/\nb3RoZXI=/user.gpg\n");
}

static void empty_directories_without_a_temporary_file_are_kept(void **state)
{
    (void)state;
    make_directory(BELOW_SERVER "team");
    recover();
    assert_tree_is("store/" PASS_DIRECTORY, SERVER "/\n" SERVER "/team/\n");
}

static void recovery_keeps_other_directories(void **state)
{
    (void)state;
    make_file(BELOW_DIRECTORY PASS_TEMPORARY, "half");
    make_directory(BELOW_DIRECTORY "my photographs");
    recover();
    assert_tree_is("store/" PASS_DIRECTORY, "my photographs/\n");
}

static void recovery_does_not_follow_links(void **state)
{
    (void)state;
    make_file(BELOW_DIRECTORY PASS_TEMPORARY, "half");
    make_directory("elsewhere/empty");
    make_link(BELOW_DIRECTORY "link", "../../elsewhere");
    recover();
    assert_tree_is("elsewhere", "empty/\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(a_server_is_removed_with_all_its_entries),
        store_test(docker_s_directory_is_removed_with_the_last_server_but_never_the_root),
        store_test(removing_a_missing_server_changes_nothing),
        store_test(a_link_is_removed_and_its_target_stays),
        store_test(a_server_that_is_a_link_is_removed_without_its_target),
        store_test(leftovers_of_a_killed_writer_are_removed),
        store_test(empty_directories_without_a_temporary_file_are_kept),
        store_test(recovery_keeps_other_directories),
        store_test(recovery_does_not_follow_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
