#include "helper/pass/descend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static int descend(const char *path, bool is_made, const char **ret_leaf)
{
    CLEANUP_CLOSE int here = file_open_directory(AT_FDCWD, ".");
    int fd;

    assert_true(here >= 0);
    fd = pass_descend(here, path, is_made, ret_leaf);
    return fd;
}

static void the_directory_of_the_last_component_is_opened(void **state)
{
    CLEANUP_CLOSE int fd = -1;
    const char *leaf;

    (void)state;
    make_file("a/b/c.gpg", "c");
    fd = descend("a/b/c.gpg", false, &leaf);
    assert_true(fd >= 0);
    assert_string_equal(leaf, "c.gpg");
    assert_int_equal(faccessat(fd, "c.gpg", F_OK, 0), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void a_path_of_one_component_is_in_the_start_directory(void **state)
{
    CLEANUP_CLOSE int fd = -1;
    const char *leaf;

    (void)state;
    make_file("c.gpg", "c");
    fd = descend("c.gpg", false, &leaf);
    assert_true(fd >= 0);
    assert_string_equal(leaf, "c.gpg");
    assert_int_equal(faccessat(fd, "c.gpg", F_OK, 0), 0);
}

static void missing_directories_are_created_on_request(void **state)
{
    const char *leaf;
    int fd;

    (void)state;
    assert_int_equal(descend("a/b/c", false, &leaf), -ENOENT);
    assert_tree_is(".", "");
    fd = descend("a/b/c", true, &leaf);
    assert_true(fd >= 0);
    close(fd);
    assert_tree_is(".", "a/\na/b/\n");
}

static void links_and_files_are_not_entered(void **state)
{
    const char *leaf;

    (void)state;
    make_directory("real/inner");
    make_link("link", "real");
    make_link("real/up", "..");
    make_file("file", "");
    assert_int_equal(descend("link/inner/x", true, &leaf), -ELOOP);
    assert_int_equal(descend("real/up/real/x", true, &leaf), -ELOOP);
    assert_int_equal(descend("file/x", true, &leaf), -ENOTDIR);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(descend("pipe/x", true, &leaf), -ENOTDIR);
    assert_tree_is("real", "inner/\nup\n");
}

static void empty_directories_are_removed_up_to_the_first_nonempty_one(void **state)
{
    CLEANUP_CLOSE int here = -1;

    (void)state;
    make_directory("a/b/c");
    make_file("a/kept", "");
    here = file_open_directory(AT_FDCWD, ".");
    pass_ascend_removing(here, "a/b/c/file");
    assert_tree_is(".", "a/\na/kept\n");
}

static void nothing_behind_a_link_is_removed(void **state)
{
    CLEANUP_CLOSE int here = -1;

    (void)state;
    make_directory("elsewhere/b");
    make_link("a", "elsewhere");
    here = file_open_directory(AT_FDCWD, ".");
    pass_ascend_removing(here, "a/b/file");
    assert_tree_is(".", "a\nelsewhere/\nelsewhere/b/\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_directory_of_the_last_component_is_opened),
        scratch_test(a_path_of_one_component_is_in_the_start_directory),
        scratch_test(missing_directories_are_created_on_request),
        scratch_test(links_and_files_are_not_entered),
        scratch_test(empty_directories_are_removed_up_to_the_first_nonempty_one),
        scratch_test(nothing_behind_a_link_is_removed),
    };

    return cmocka_run_group_tests_name("descend", tests, NULL, NULL);
}
