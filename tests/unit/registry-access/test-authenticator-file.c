/*
 * The authenticator with a file that changes, disappears or has invalid lines.
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

static void a_changed_file_is_used_at_once(void **state)
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

static void unchanged_users_stay_in_the_cache(void **state)
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

static void users_stay_when_the_file_disappears(void **state)
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
        assert_int_equal(
            count_warnings("cannot read htpasswd: No such file or directory; the previous users"),
            round);
        write_users("", "alice", "bob", NULL);
        assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    }
}

static void users_stay_when_the_file_becomes_unusable(void **state)
{
    const struct timespec wait = {.tv_sec = 2, .tv_nsec = 100 * 1000 * 1000};
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("", "alice", NULL);
    a = open_users();
    assert_int_equal(unlink("htpasswd"), 0);
    make_directory("htpasswd");
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
    nanosleep(&wait, NULL); /* then it tries again, because the disk may recover */
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

/* Apache's htpasswd rewrites the file in place, and a busy machine may interrupt it halfway. */
static void users_stay_while_the_file_is_being_rewritten(void **state)
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

static void an_unchanged_file_causes_no_second_warning(void **state)
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

static void a_recent_file_is_read_again_with_timestamps_in_seconds(void **state)
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

/* --- warnings --------------------------------------------------------------------------- */

static void warnings_name_lines_and_never_quote_them(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;

    (void)state;
    write_users("# comment\nhunter2\nold:hunter2\n", "alice", NULL);
    assert_int_equal(chmod("htpasswd", 0644), 0);
    a = open_users();
    assert_int_equal(count_warnings("htpasswd line 2: the line has no ':'"), 1);
    assert_int_equal(count_warnings("htpasswd line 3: the hash is not bcrypt"), 1);
    assert_int_equal(
        count_warnings("htpasswd can be read by every user of this machine: chmod o-r htpasswd"),
        1);
    assert_int_equal(count_warnings("\n"), 3);
    assert_int_equal(count_warnings("hunter2"), 0);
    assert_int_equal(count_warnings("old"), 0);
}

static void the_number_of_warnings_is_limited(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    char text[400] = "";

    (void)state;
    for (int i = 0; i < 100; i++)
        memcpy(text + 2 * i, "x\n", 3);
    write_users(text, "alice", NULL);
    a = open_users();
    assert_int_equal(count_warnings("\n"), 17);
    assert_int_equal(count_warnings("84 more lines cannot be used"), 1);
}

static void check_open_fails(int code, const char *text)
{
    struct authenticator *a = NULL;
    struct error err = {0};

    assert_int_equal(
        authenticator_open(&(struct authenticator_options){.path = "htpasswd"}, &a, &err), -code);
    assert_says(&err, text);
    assert_null(a);
}

static void without_users_there_is_no_start(void **state)
{
    (void)state;
    check_open_fails(ENOENT, "there is no file htpasswd with users; make one with: registryd "
                             "htpasswd -Bn USER > htpasswd");
    assert_is_absent("htpasswd");
    make_directory("htpasswd");
    check_open_fails(EISDIR, "cannot read htpasswd: Is a directory");
    authenticator_close(NULL);
}

static void the_warning_callback_is_optional(void **state)
{
    CLEANUP(authenticator_closep) struct authenticator *a = NULL;
    struct error err;

    (void)state;
    write_users("nonsense\n", "alice", NULL);
    assert_int_equal(
        authenticator_open(&(struct authenticator_options){.path = "htpasswd"}, &a, &err), 0);
    assert_int_equal(verify(a, "alice", "alice's"), AUTH_GRANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_changed_file_is_used_at_once),
        scratch_test(unchanged_users_stay_in_the_cache),
        scratch_test(users_stay_when_the_file_disappears),
        scratch_test(users_stay_when_the_file_becomes_unusable),
        scratch_test(users_stay_while_the_file_is_being_rewritten),
        scratch_test(a_reload_reads_the_file_now),
        scratch_test(an_unchanged_file_causes_no_second_warning),
        scratch_test(a_recent_file_is_read_again_with_timestamps_in_seconds),
        scratch_test(warnings_name_lines_and_never_quote_them),
        scratch_test(the_number_of_warnings_is_limited),
        scratch_test(without_users_there_is_no_start),
        scratch_test(the_warning_callback_is_optional),
    };

    return cmocka_run_group_tests_name("authenticator-file", tests, NULL, NULL);
}
