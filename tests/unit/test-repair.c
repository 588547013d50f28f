#include "helper/pass/repair.h"

#include <errno.h>
#include <sys/stat.h>

#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

static void a_mode_is_set_in_place(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_file("store/a/b", "x");
    chmod("store/a/b", 0644);
    store = open_store();
    assert_int_equal(pass_repair_check(&store, "a/b"), 0);
    assert_mode_is("store/a/b", 0644);
    assert_int_equal(pass_repair_mode(&store, "a/b", 0600), 0);
    assert_mode_is("store/a/b", 0600);
    assert_int_equal(pass_repair_mode(&store, "a", 0700), 0);
    assert_mode_is("store/a", 0700);
    chmod("store", 0755);
    assert_int_equal(pass_repair_mode(&store, "", 0700), 0);
    assert_mode_is("store", 0700);
}

static void an_unreadable_file_gets_its_mode(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_file("store/a", "x");
    chmod("store/a", 0077);
    store = open_store();
    assert_int_equal(pass_repair_mode(&store, "a", 0600), 0);
    assert_mode_is("store/a", 0600);
}

static void nothing_outside_is_repaired(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_file("outside/file", "x");
    make_file("store/.gpg-id", "x");
    chmod("outside/file", 0644);
    make_link("store/file", "../outside/file");
    make_link("store/directory", "../outside");
    assert_int_equal(link("outside/file", "store/hard"), 0);
    store = open_store();
    assert_int_equal(pass_repair_mode(&store, "file", 0600), -ELOOP);
    assert_int_equal(pass_repair_mode(&store, "directory/file", 0600), -ELOOP);
    assert_int_equal(pass_repair_mode(&store, "hard", 0600), -EMLINK);
    assert_int_equal(pass_repair_last_line(&store, "file"), -ELOOP);
    assert_int_equal(pass_repair_last_line(&store, "directory/file"), -ELOOP);
    assert_int_equal(pass_repair_last_line(&store, "hard"), -EMLINK);
    assert_int_equal(pass_repair_leftover(&store, "directory/file", PASS_LEFTOVER_FILE), -ELOOP);
    assert_mode_is("outside/file", 0644);
    assert_file_is("outside/file", "x");
}

static void a_pipe_is_not_repaired(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_directory("store");
    assert_int_equal(mkfifo("store/pipe", 0644), 0);
    store = open_store();
    assert_int_equal(pass_repair_mode(&store, "pipe", 0600), -EINVAL);
    assert_true(pass_repair_last_line(&store, "pipe") < 0);
    assert_mode_is("store/pipe", 0644);
}

static void a_missing_line_end_is_added_and_leftovers_are_removed(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_file("store/.gpg-id", "KEY");
    make_file("store/full/file", "x");
    make_directory("store/empty");
    store = open_store();
    assert_int_equal(pass_repair_last_line(&store, ".gpg-id"), 0);
    assert_file_is("store/.gpg-id", "KEY\n");
    assert_int_equal(pass_repair_leftover(&store, "full", PASS_LEFTOVER_DIRECTORY), -ENOTEMPTY);
    assert_int_equal(pass_repair_leftover(&store, "empty", PASS_LEFTOVER_DIRECTORY), 0);
    assert_int_equal(pass_repair_leftover(&store, "full/file", PASS_LEFTOVER_FILE), 0);
    assert_tree_is("store", ".gpg-id\nfull/\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(a_mode_is_set_in_place),
        store_test(an_unreadable_file_gets_its_mode),
        store_test(nothing_outside_is_repaired),
        store_test(a_pipe_is_not_repaired),
        store_test(a_missing_line_end_is_added_and_leftovers_are_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
