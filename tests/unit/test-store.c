#include "helper/pass/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

/* --- location ------------------------------------------------------------------- */

static void assert_root_is(const char *below_scratch)
{
    CLEANUP(pass_store_done) struct pass_store store = open_store();
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", scratch_directory(), below_scratch);
    assert_string_equal(store.root, path);
}

static void the_variable_names_the_store(void **state)
{
    (void)state;
    assert_root_is("store");
    setenv("PASSWORD_STORE_DIR", "elsewhere/deep", 1); /* below the working directory, as with pass */
    assert_root_is("elsewhere/deep");
    setenv("PASSWORD_STORE_DIR", "~/store", 1);
    assert_root_is("~/store");
}

static void without_it_the_store_is_in_the_home_directory(void **state)
{
    (void)state;
    setenv("PASSWORD_STORE_DIR", "", 1);
    assert_root_is("home/.password-store");
    unsetenv("PASSWORD_STORE_DIR");
    assert_root_is("home/.password-store");
}

/* Without HOME the home directory is from the user database, as in gpg. */
static void home_may_be_unset(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    struct error err;

    (void)state;
    unsetenv("PASSWORD_STORE_DIR");
    unsetenv("HOME");
    if (pass_store_open(&store, &err) == 0) {
        size_t size = strlen(store.root);

        assert_true(size > 16 && strcmp(store.root + size - 16, "/.password-store") == 0);
    } else {
        assert_says(&err, "neither PASSWORD_STORE_DIR nor HOME is set");
    }
}

/* --- opening ---------------------------------------------------------------------- */

static void a_missing_store_is_not_a_failure(void **state)
{
    CLEANUP(pass_store_done) struct pass_store none = open_store(), empty = PASS_STORE_INIT, whole = PASS_STORE_INIT;

    (void)state;
    assert_int_equal(none.root_fd, -1);
    assert_int_equal(none.directory_fd, -1);
    assert_is_absent("store"); /* opening creates nothing */
    make_directory("store");
    empty = open_store();
    assert_true(empty.root_fd >= 0);
    assert_int_equal(empty.directory_fd, -1);
    make_directory(BELOW_DIRECTORY);
    whole = open_store();
    assert_true(whole.root_fd >= 0);
    assert_true(whole.directory_fd >= 0);
}

static void check_open_fails(int code, const char *part)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    struct error err;

    assert_int_equal(pass_store_open(&store, &err), -code);
    assert_says(&err, part);
}

static void other_files_are_a_failure(void **state)
{
    (void)state;
    make_file("store", "");
    check_open_fails(ENOTDIR, "/store");
    assert_int_equal(unlink("store"), 0);
    make_file("store/" PASS_DIRECTORY, "");
    check_open_fails(ENOTDIR, "/store/" PASS_DIRECTORY);
}

static void the_store_may_be_a_link(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    make_directory("elsewhere/" PASS_DIRECTORY);
    make_link("store", "elsewhere");
    store = open_store();
    assert_true(store.directory_fd >= 0);
}

/* --- locking ---------------------------------------------------------------------- */

static void a_lock_creates_the_store_with_its_parents(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s/a/b/store", scratch_directory());
    setenv("PASSWORD_STORE_DIR", path, 1);
    store = lock_store();
    assert_true(store.root_fd >= 0);
    assert_true(store.has_lock);
    assert_mode_is("a", 0700);
    assert_mode_is("a/b/store", 0700);
    assert_tree_is("a", "b/\nb/store/\n"); /* and no lock file */
}

static void the_mask_is_that_of_the_variable(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;

    (void)state;
    setenv("PASSWORD_STORE_UMASK", "027", 1);
    store = lock_store();
    assert_mode_is("store", 0750);
}

static void an_invalid_mask_is_refused(void **state)
{
    static const char *const masks[] = {"8", "0778", "u=rwx", "-1", " 077", "077 ", "+77", "1000", "7777777777777777777777777"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        CLEANUP(pass_store_done) struct pass_store store = open_store();
        struct error err;

        setenv("PASSWORD_STORE_UMASK", masks[i], 1);
        assert_case(masks[i], pass_store_lock(&store, &err) == -EINVAL);
        assert_says(&err, "PASSWORD_STORE_UMASK");
        assert_is_absent("store");
    }
}

/* Whether the store's lock was free. */
static bool is_free(void)
{
    CLEANUP(pass_store_done) struct pass_store store = open_store();

    return flock(store.root_fd, LOCK_EX | LOCK_NB) == 0;
}

static void the_lock_is_held_until_the_end(void **state)
{
    struct pass_store store = lock_store();

    (void)state;
    assert_false(is_free());
    pass_store_done(&store);
    assert_true(is_free());
}

/* A forked child shares the lock; it writes a byte just before it exits. */
static pid_t hold_for_a_while(int said)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    usleep(100 * 1000);
    _exit(write(said, "x", 1) == 1 ? 0 : 1);
}

static void a_second_writer_waits_for_the_first(void **state)
{
    CLEANUP(pass_store_done) struct pass_store first = lock_store(), second = PASS_STORE_INIT;
    int ends[2], status;
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid = hold_for_a_while(ends[1]);
    close(ends[1]);
    pass_store_done(&first);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    second = lock_store();
    assert_int_equal(read(ends[0], &byte, 1), 1); /* the byte was written before the lock was free */
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static bool is_blocked(int number)
{
    sigset_t blocked;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    return sigismember(&blocked, number) == 1;
}

static void signals_wait_until_the_end(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct pass_store store = lock_store();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        assert_true(is_blocked(numbers[i]));
    pass_store_done(&store);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        assert_false(is_blocked(numbers[i]));
}

/* --- docker's directory --------------------------------------------------------------- */

static void the_directory_is_created_on_request(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = lock_store();
    struct error err;

    (void)state;
    assert_int_equal(pass_store_open_directory(&store, false, &err), 0);
    assert_int_equal(store.directory_fd, -1);
    assert_tree_is("store", "");
    assert_int_equal(pass_store_open_directory(&store, true, &err), 0);
    assert_true(store.directory_fd >= 0);
    assert_mode_is(BELOW_DIRECTORY, 0700);
    assert_int_equal(pass_store_open_directory(&store, true, &err), 0); /* again */
}

static void a_dangling_link_is_named(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = lock_store();
    struct error err;

    (void)state;
    make_link("store/" PASS_DIRECTORY, "nowhere");
    assert_int_equal(pass_store_open_directory(&store, true, &err), -ENOENT);
    assert_says(&err, "/store/" PASS_DIRECTORY);
    assert_says(&err, "a link that leads nowhere");
}

static void leftovers_of_a_crash_are_removed_under_the_lock(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    struct error err;

    (void)state;
    make_file(BELOW_DIRECTORY PASS_TEMPORARY, "half");
    make_file(BELOW_SERVER "user.gpg", "");
    make_directory(BELOW_DIRECTORY "YQ==");
    store = lock_store();
    assert_string_equal(store.temporary, PASS_TEMPORARY);
    assert_int_equal(pass_store_open_directory(&store, false, &err), 0);
    assert_tree_is("store", PASS_DIRECTORY "/\n" PASS_DIRECTORY "/" SERVER "/\n" PASS_DIRECTORY "/" SERVER "/user.gpg\n");
}

static void freeing_twice_is_allowed(void **state)
{
    struct pass_store store = PASS_STORE_INIT;

    (void)state;
    pass_store_done(&store);
    store = open_store();
    pass_store_done(&store);
    pass_store_done(&store);
    assert_null(store.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(the_variable_names_the_store),
        store_test(without_it_the_store_is_in_the_home_directory),
        store_test(home_may_be_unset),
        store_test(a_missing_store_is_not_a_failure),
        store_test(other_files_are_a_failure),
        store_test(the_store_may_be_a_link),
        store_test(a_lock_creates_the_store_with_its_parents),
        store_test(the_mask_is_that_of_the_variable),
        store_test(an_invalid_mask_is_refused),
        store_test(the_lock_is_held_until_the_end),
        store_test(a_second_writer_waits_for_the_first),
        store_test(signals_wait_until_the_end),
        store_test(the_directory_is_created_on_request),
        store_test(a_dangling_link_is_named),
        store_test(leftovers_of_a_crash_are_removed_under_the_lock),
        store_test(freeing_twice_is_allowed),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
