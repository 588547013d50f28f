#include "helper/client/save-check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static struct client_save_check check(const char *path, enum client_save_method method)
{
    struct client_save_check result = {0};
    struct error err = {0};

    if (client_save_check(path, method, &result, &err) < 0)
        fail_msg("%s", err.text);
    return result;
}

static void assert_result(const char *path, enum client_save_result expected, int code, const char *part)
{
    CLEANUP(client_save_check_done) struct client_save_check result = check(path, CLIENT_SAVE_THROUGH_LINK);
    struct error err = {0};

    assert_int_equal(result.result, expected);
    assert_int_equal(result.code, code);
    assert_int_equal(client_save_check_explain(&result, &err), -code);
    if (part)
        assert_says(&err, part);
}

static void a_plain_file_can_be_replaced_and_nothing_is_left_behind(void **state)
{
    (void)state;
    make_file("d/config.json", "{}");
    make_file("real/target", "{}");
    make_link("d/link", "../real/target");
    make_link("d/dangling", "../real/new");
    assert_result("d/config.json", CLIENT_SAVE_WORKS, 0, NULL);
    assert_result("d/link", CLIENT_SAVE_WORKS, 0, NULL);
    assert_result("d/dangling", CLIENT_SAVE_WORKS, 0, NULL);
    assert_result("d/absent", CLIENT_SAVE_WORKS, 0, NULL);
    assert_result("missing/directory/config.json", CLIENT_SAVE_WORKS, 0, NULL);
    assert_tree_is(".", "d/\nd/config.json\nd/dangling\nd/link\nreal/\nreal/target\n");
}

static void only_regular_files_can_be_read(void **state)
{
    (void)state;
    make_directory("d/config.json");
    make_link("loop", "loop");
    assert_result("d/config.json", CLIENT_SAVE_CANNOT_READ, EINVAL, "d/config.json is not a regular file");
    assert_result("loop", CLIENT_SAVE_CANNOT_READ, ELOOP, "cannot read loop");
}

static void a_dead_link_can_be_replaced_itself(void **state)
{
    CLEANUP(client_save_check_done) struct client_save_check result = {0};

    (void)state;
    make_link("d/dead", "../gone/config.json");
    make_link("d/itself", "itself");
    make_file("d/config.json", "{}");
    make_link("d/alive", "config.json");
    assert_true(client_save_is_dead_link("d/dead") && client_save_is_dead_link("d/itself"));
    assert_false(client_save_is_dead_link("d/alive") || client_save_is_dead_link("d/config.json"));
    assert_result("d/dead", CLIENT_SAVE_CANNOT_REPLACE, ENOENT, "gone/config.json cannot be replaced");
    result = check("d/itself", CLIENT_SAVE_OVER_LINK);
    assert_int_equal(result.result, CLIENT_SAVE_WORKS);
}

static void a_directory_that_cannot_be_created_is_named(void **state)
{
    (void)state;
    make_file("file", "");
    make_link("dangling", "nowhere");
    assert_result("file/config.json", CLIENT_SAVE_CANNOT_READ, ENOTDIR, "file/config.json");
    assert_result("dangling/config.json", CLIENT_SAVE_CANNOT_MAKE_DIRECTORY, EEXIST, "dangling");
}

static void a_link_into_a_missing_directory_cannot_be_replaced(void **state)
{
    (void)state;
    make_link("d/config.json", "../missing/config.json");
    assert_result("d/config.json", CLIENT_SAVE_CANNOT_REPLACE, ENOENT, "cannot be replaced");
}

static void another_file_system_is_noticed_only_where_the_link_is_followed(void **state)
{
    struct stat here, there;
    CLEANUP(client_save_check_done) struct client_save_check result = {0};

    (void)state;
    if (stat(".", &here) < 0 || stat("/dev/shm", &there) < 0 || here.st_dev == there.st_dev)
        skip();
    make_link("d/config.json", "/dev/shm/docker-credential-pass-test-config.json");
    assert_result("d/config.json", CLIENT_SAVE_CANNOT_REPLACE, EXDEV, "another file system");
    result = check("d/config.json", CLIENT_SAVE_OVER_LINK);
    assert_int_equal(result.result, CLIENT_SAVE_WORKS);
}

/* Root can write anywhere, so the following checks run as another user. */
static int check_as_nobody(void *argument)
{
    CLEANUP(client_save_check_done) struct client_save_check result = {0};
    const char *path = *(const char **)argument;
    struct error err;

    if (geteuid() == 0 && (setegid(65534) < 0 || seteuid(65534) < 0))
        return 99;
    if (client_save_check(path, CLIENT_SAVE_THROUGH_LINK, &result, &err) < 0)
        return 98;
    return (int)result.result * 10 + (result.code == EACCES ? 1 : result.code == EPERM ? 2 : 0);
}

static int judge_as_nobody(const char *path)
{
    return run_in_child(check_as_nobody, &path);
}

static void modes_and_owners_are_checked(void **state)
{
    (void)state;
    make_file("closed/config.json", "{}");
    make_file("secret/config.json", "{}");
    make_file("sticky/config.json", "{}");
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(chmod("closed/config.json", 0644), 0);
    assert_int_equal(chmod("closed", 0555), 0);
    assert_int_equal(chmod("secret/config.json", 0), 0);
    assert_int_equal(chmod("secret", 0555), 0); /* an ordinary user owns it: it could be replaced otherwise */
    assert_int_equal(chmod("sticky/config.json", 0644), 0);
    assert_int_equal(chmod("sticky", 01777), 0);
    assert_int_equal(judge_as_nobody("closed/config.json"), CLIENT_SAVE_CANNOT_CREATE * 10 + 1);
    assert_int_equal(judge_as_nobody("closed/missing/config.json"),
                     CLIENT_SAVE_CANNOT_MAKE_DIRECTORY * 10 + 1);
    assert_int_equal(judge_as_nobody("secret/config.json"), CLIENT_SAVE_CANNOT_READ * 10 + 1);
    make_file("shared/config.json", "{}");
    assert_int_equal(chmod("shared/config.json", 0), 0);
    assert_int_equal(chmod("shared", 0777), 0);
    assert_int_equal(judge_as_nobody("shared/config.json"), CLIENT_SAVE_IS_UNREADABLE * 10 + 1);
    if (geteuid() == 0)
        assert_int_equal(judge_as_nobody("sticky/config.json"), CLIENT_SAVE_CANNOT_REPLACE * 10 + 2);
    assert_int_equal(chmod("closed", 0755), 0);
    assert_int_equal(chmod("secret", 0755), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_plain_file_can_be_replaced_and_nothing_is_left_behind),
        scratch_test(only_regular_files_can_be_read),
        scratch_test(a_dead_link_can_be_replaced_itself),
        scratch_test(a_directory_that_cannot_be_created_is_named),
        scratch_test(a_link_into_a_missing_directory_cannot_be_replaced),
        scratch_test(another_file_system_is_noticed_only_where_the_link_is_followed),
        scratch_test(modes_and_owners_are_checked),
    };

    return cmocka_run_group_tests_name("save-check", tests, NULL, NULL);
}
