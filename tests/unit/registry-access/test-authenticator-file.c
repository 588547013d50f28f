/*
 * What the authenticator makes of a file that changes, disappears or has bad lines.
 */
#include "registry/access/authenticator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/check.h"
#include "tests/unit/registry-access/authenticator-fixture.h"
#include "tests/unit/scratch.h"

/* --- the file changes ------------------------------------------------------------------- */

static void a_changed_file_counts_at_once(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[200] = "";

    (void)state;
    write_users("", "alice", "bob", NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);

    append_user(text, sizeof(text), "alice", "changed", 4);
    write_users(text, "carol", NULL);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_DENIED);
    assert_int_equal(verify(a, "alice", "changed"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_DENIED);
    assert_int_equal(verify(a, "carol", "carol's"), AUTH_GRANTED);
}

static void who_did_not_change_stays_remembered(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[200] = "";

    (void)state;
    append_user(text, sizeof(text), "alice", "alice's", 4);
    write_users(text, NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    write_users(text, "bob", NULL);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(counters_of(a).bcrypts, 1);
}

static void a_file_that_disappears_leaves_its_users(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", "bob", NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    for (unsigned round = 1; round <= 2; round++) {
        assert_int_equal(unlink("htpasswd"), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
            assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
            assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
            assert_int_equal(verify(a, "bob", "wrong"), AUTH_DENIED);
        }
        assert_int_equal(count_warnings("cannot read htpasswd: No such file or directory; the users known so far"), round);
        write_users("", "alice", "bob", NULL);
        assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    }
}

static void a_file_that_cannot_be_used_leaves_the_users_before(void **state)
{
    const struct timespec wait = {.tv_sec = 2, .tv_nsec = 100 * 1000 * 1000};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    assert_int_equal(unlink("htpasswd"), 0);
    make_folder("htpasswd");
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    nanosleep(&wait, NULL); /* then it is tried again, for a disk may recover */
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(count_warnings("cannot read htpasswd: Is a directory"), 1);
    assert_int_equal(rmdir("htpasswd"), 0);
    make_file("htpasswd", "");
    assert_int_equal(truncate("htpasswd", (16 << 20) + 1), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(count_warnings("is larger than 16 MiB"), 1);
    write_users("", "bob", NULL);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_DENIED);
}

/* As Apache's htpasswd does in place, kept waiting half-way by a busy machine. */
static void a_file_that_is_begun_anew_leaves_its_users_for_a_while(void **state)
{
    const struct timespec soon = {.tv_nsec = 200 * 1000 * 1000}, later = {.tv_sec = 2};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    make_file("htpasswd", "");
    nanosleep(&soon, NULL);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    make_file("htpasswd", "bob:$2y$04$");
    nanosleep(&soon, NULL);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_string_equal(warnings, "");
    nanosleep(&later, NULL);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_DENIED);
}

static void a_reload_reads_the_file_now(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err = {0};

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    write_users("", "bob", NULL);
    assert_int_equal(authenticator_reload(a, &err), 0);
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "bob", "bob's"), AUTH_GRANTED);
    assert_int_equal(unlink("htpasswd"), 0);
    assert_int_equal(authenticator_reload(a, &err), -ENOENT);
    assert_says(&err, "cannot read htpasswd");
    assert_int_equal(look_up(a, "bob", "bob's"), AUTH_GRANTED);
    assert_string_equal(warnings, "");
}

static void an_unchanged_file_is_not_warned_of_again(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err = {0};

    (void)state;
    write_users("nonsense\n", "alice", NULL);
    a = open_users();
    assert_int_equal(count_warnings("htpasswd line 1: the line has no ':'"), 1);
    assert_int_equal(utimensat(AT_FDCWD, "htpasswd", NULL, 0), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(authenticator_reload(a, &err), 0);
    assert_int_equal(count_warnings("line 1"), 1);
}

static void a_fresh_file_is_looked_at_again_where_seconds_are_counted(void **state)
{
    const struct timespec whole[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    const struct timespec wait = {.tv_sec = 2, .tv_nsec = 100 * 1000 * 1000};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    assert_int_equal(utimensat(AT_FDCWD, "htpasswd", whole, 0), 0);
    a = open_users();
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    nanosleep(&wait, NULL);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_UNKNOWN);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(look_up(a, "alice", "alice's"), AUTH_GRANTED);
    assert_int_equal(counters_of(a).bcrypts, 1);
}

/* --- what the operator is told ---------------------------------------------------------- */

static void warnings_name_lines_and_never_quote_them(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("# comment\nhunter2\nold:hunter2\n", "alice", NULL);
    assert_int_equal(chmod("htpasswd", 0644), 0);
    a = open_users();
    assert_int_equal(count_warnings("htpasswd line 2: the line has no ':'"), 1);
    assert_int_equal(count_warnings("htpasswd line 3: the hash is not bcrypt"), 1);
    assert_int_equal(count_warnings("htpasswd can be read by every user of this machine: chmod o-r htpasswd"), 1);
    assert_int_equal(count_warnings("\n"), 3);
    assert_int_equal(count_warnings("hunter2"), 0);
    assert_int_equal(count_warnings("old"), 0);
}

static void there_is_an_end_to_warnings(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[400] = "";

    (void)state;
    for (int i = 0; i < 100; i++)
        memcpy(text + 2 * i, "x\n", 3);
    write_users(text, "alice", NULL);
    a = open_users();
    assert_int_equal(count_warnings("\n"), 17);
    assert_int_equal(count_warnings("84 more lines are of no use"), 1);
}

static void check_open_fails(int code, const char *text)
{
    struct authenticator *a = NULL;
    struct error err = {0};

    assert_int_equal(authenticator_open(&(struct authenticator_options){.path = "htpasswd"}, &a, &err), -code);
    assert_says(&err, text);
    assert_null(a);
}

static void without_users_there_is_no_start(void **state)
{
    (void)state;
    check_open_fails(ENOENT, "there is no file htpasswd with users; make one with: registryd htpasswd -Bn USER > htpasswd");
    assert_is_absent("htpasswd");
    make_folder("htpasswd");
    check_open_fails(EISDIR, "cannot read htpasswd: Is a directory");
    authenticator_close(NULL);
}

static void nobody_has_to_listen_to_warnings(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err;

    (void)state;
    write_users("nonsense\n", "alice", NULL);
    assert_int_equal(authenticator_open(&(struct authenticator_options){.path = "htpasswd"}, &a, &err), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_changed_file_counts_at_once),
        scratch_test(who_did_not_change_stays_remembered),
        scratch_test(a_file_that_disappears_leaves_its_users),
        scratch_test(a_file_that_cannot_be_used_leaves_the_users_before),
        scratch_test(a_file_that_is_begun_anew_leaves_its_users_for_a_while),
        scratch_test(a_reload_reads_the_file_now),
        scratch_test(an_unchanged_file_is_not_warned_of_again),
        scratch_test(a_fresh_file_is_looked_at_again_where_seconds_are_counted),
        scratch_test(warnings_name_lines_and_never_quote_them),
        scratch_test(there_is_an_end_to_warnings),
        scratch_test(without_users_there_is_no_start),
        scratch_test(nobody_has_to_listen_to_warnings),
    };

    return cmocka_run_group_tests_name("authenticator-file", tests, NULL, NULL);
}
