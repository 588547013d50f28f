#include "helper/pass/insert.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

#define ENTRY BELOW_SERVER "user.gpg"

/* Inserts a message for a username; returns the result of pass_insert(). */
static int insert(const char *username, const char *text, struct pass_changes *changes, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = lock_store();
    CLEANUP(secbuf_done) struct secbuf message = {0};
    struct pass_path path = path_of(URL, username);

    assert_int_equal(secbuf_append(&message, text, strlen(text)), 0);
    return pass_insert(&store, &path, &message, changes, err);
}

static void assert_inserted(const char *username, const char *text)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error err = {0};

    assert_case(username, insert(username, text, &changes, &err) == 0);
}

static void a_first_entry_creates_its_directories(void **state)
{
    (void)state;
    assert_inserted("user", "one");
    assert_tree_is("store", PASS_DIRECTORY "/\n" PASS_DIRECTORY "/" SERVER "/\n" PASS_DIRECTORY "/" SERVER "/user.gpg\n");
    assert_file_is(ENTRY, "one");
    assert_mode_is(ENTRY, 0600);
    assert_mode_is(BELOW_SERVER, 0700);
}

static void an_entry_is_replaced_and_keeps_its_mode(void **state)
{
    (void)state;
    make_file(ENTRY, "old");
    assert_int_equal(chmod(ENTRY, 0640), 0);
    assert_inserted("user", "new");
    assert_file_is(ENTRY, "new");
    assert_mode_is(ENTRY, 0640);
}

static void the_last_login_wins(void **state)
{
    (void)state;
    make_file(BELOW_SERVER "a.gpg", "a");
    make_file(BELOW_SERVER "team/b.gpg", "b");
    make_file(BELOW_SERVER "notes.txt", "not ours");
    assert_inserted("user", "new");
    assert_file_is(ENTRY, "new");
    assert_is_absent(BELOW_SERVER "a.gpg");
    assert_is_absent(BELOW_SERVER "team/b.gpg");
    assert_file_is(BELOW_SERVER "notes.txt", "not ours");
}

static void changes_name_what_was_written_and_what_was_removed(void **state)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error err;

    (void)state;
    make_file(BELOW_SERVER "other.gpg", "a");
    assert_int_equal(insert("user", "new", &changes, &err), 0);
    assert_int_equal(changes.count, 2);
    assert_false(changes.items[0].is_removal);
    assert_string_equal(changes.items[0].path, PASS_DIRECTORY "/" SERVER "/user.gpg");
    assert_true(changes.items[1].is_removal);
    assert_string_equal(changes.items[1].path, PASS_DIRECTORY "/" SERVER "/other.gpg");
}

static void a_link_to_a_message_is_written_through(void **state)
{
    (void)state;
    make_file("elsewhere", "\x84\x5E old");
    make_directory(BELOW_SERVER);
    make_link(BELOW_SERVER "user.gpg", "../../../elsewhere");
    assert_inserted("user", "new");
    assert_file_is("elsewhere", "new");
}

/* Targets that an attacker could choose for a link in a store: authorized_keys, a keyring, an empty file. */
static void a_link_to_anything_else_is_refused(void **state)
{
    static const char *const contents[] = {"ssh-ed25519 AAAA", "\x99\x01\x0D a keyring", ""};

    (void)state;
    make_directory(BELOW_SERVER);
    make_link(BELOW_SERVER "user.gpg", "../../../elsewhere");
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        CLEANUP(pass_changes_done) struct pass_changes changes = {0};
        struct error err = {0};

        make_file("elsewhere", contents[i]);
        assert_int_equal(insert("user", "new", &changes, &err), -EPERM);
        assert_says(&err, "user.gpg is a link to something other than an encrypted message");
        assert_file_is("elsewhere", contents[i]);
        assert_tree_is("store/" PASS_DIRECTORY, SERVER "/\n" SERVER "/user.gpg\n");
    }
}

static void a_link_to_itself_is_replaced(void **state)
{
    (void)state;
    make_directory(BELOW_SERVER);
    make_link(BELOW_SERVER "user.gpg", "user.gpg");
    assert_inserted("user", "new");
    assert_file_is(ENTRY, "new");
}

static void assert_refused_behind(const char *link)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error err = {0};

    make_file("elsewhere/kept.gpg", "kept");
    make_link(link, "../../elsewhere");
    assert_int_equal(insert("a/user", "new", &changes, &err), -ELOOP);
    assert_says(&err, "one of its directories is a link");
    assert_tree_is("elsewhere", "kept.gpg\n");
}

static void nothing_is_written_through_a_linked_directory(void **state)
{
    (void)state;
    make_directory("store/" PASS_DIRECTORY);
    assert_refused_behind(BELOW_DIRECTORY SERVER);
}

static void nothing_is_written_through_an_inner_linked_directory(void **state)
{
    (void)state;
    make_directory(BELOW_SERVER);
    make_directory("store/elsewhere");
    assert_refused_behind(BELOW_SERVER "a");
    assert_tree_is("store/elsewhere", "");
}

static void a_world_writable_entry_gets_a_safe_mode(void **state)
{
    (void)state;
    make_file(ENTRY, "old");
    assert_int_equal(chmod(ENTRY, 07777), 0);
    assert_inserted("user", "new");
    assert_mode_is(ENTRY, 0664);
}

static void a_pipe_in_place_of_an_entry_is_replaced(void **state)
{
    (void)state;
    make_directory(BELOW_SERVER);
    assert_int_equal(mkfifo(ENTRY, 0600), 0);
    assert_inserted("user", "new");
    assert_file_is(ENTRY, "new");
}

static void a_directory_with_the_name_of_the_temporary_file_does_not_matter(void **state)
{
    (void)state;
    make_file(BELOW_DIRECTORY PASS_TEMPORARY "/file", "not ours");
    assert_inserted("user", "new");
    assert_file_is(ENTRY, "new");
    assert_file_is(BELOW_DIRECTORY PASS_TEMPORARY "/file", "not ours");
}

static void the_longest_and_the_deepest_username_fit(void **state)
{
    (void)state;
    assert_inserted(longest_username(), "long");
    assert_inserted(deepest_username(), "deep");
}

static void a_directory_in_the_way_is_an_error_that_changes_nothing(void **state)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error err = {0};

    (void)state;
    make_file(ENTRY "/inner.gpg", "in the way");
    assert_int_equal(insert("user", "new", &changes, &err), -EISDIR);
    assert_says(&err, "user.gpg");
    assert_tree_is("store/" PASS_DIRECTORY, SERVER "/\n" SERVER "/user.gpg/\n" SERVER "/user.gpg/inner.gpg\n");
    assert_int_equal(changes.count, 0);
}

static int insert_with_small_files(void *username)
{
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    const struct rlimit limit = {.rlim_cur = 4, .rlim_max = 4};
    struct error err;

    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit) == 0 && insert(username, "more than four", &changes, &err) == -EFBIG ? 0 : 1;
}

static void on_a_full_disk_the_old_entry_stays(void **state)
{
    char username[] = "user";

    (void)state;
    make_file(ENTRY, "old");
    assert_int_equal(run_in_child(insert_with_small_files, username), 0);
    assert_file_is(ENTRY, "old");
    assert_tree_is("store/" PASS_DIRECTORY, SERVER "/\n" SERVER "/user.gpg\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(a_first_entry_creates_its_directories),
        store_test(an_entry_is_replaced_and_keeps_its_mode),
        store_test(the_last_login_wins),
        store_test(changes_name_what_was_written_and_what_was_removed),
        store_test(a_link_to_a_message_is_written_through),
        store_test(a_link_to_anything_else_is_refused),
        store_test(a_link_to_itself_is_replaced),
        store_test(nothing_is_written_through_a_linked_directory),
        store_test(nothing_is_written_through_an_inner_linked_directory),
        store_test(a_world_writable_entry_gets_a_safe_mode),
        store_test(a_pipe_in_place_of_an_entry_is_replaced),
        store_test(a_directory_with_the_name_of_the_temporary_file_does_not_matter),
        store_test(the_longest_and_the_deepest_username_fit),
        store_test(a_directory_in_the_way_is_an_error_that_changes_nothing),
        store_test(on_a_full_disk_the_old_entry_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
