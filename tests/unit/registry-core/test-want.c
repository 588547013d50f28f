/* filesystem-want.c: what is wanted stays, and what is not goes in one step. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/storage/filesystem/filesystem.h"
#include "tests/unit/registry-core/support.h"

enum { OLD_S = 1000, LIMIT_S = 2000 };

static struct driver *driver;

static int set_up(void **state)
{
    struct error err = {0};

    return scratch_set_up(state) < 0 ? -1 : filesystem_open("root", DRIVER_SERVES, &driver, &err);
}

static int tear_down(void **state)
{
    driver->type->close(driver);
    return scratch_tear_down(state);
}

static void make_old(const char *key)
{
    const struct timespec times[2] = {{.tv_sec = OLD_S}, {.tv_sec = OLD_S}};

    make_file(below("%s", key), "");
    assert_int_equal(utimensat(AT_FDCWD, below("%s", key), times, 0), 0);
}

/* Removes key unless one of the witnesses is wanted; whether it was spared. */
static bool is_spared(const char *key, const char *witness, const char *other)
{
    const char *witnesses[] = {witness, other};
    struct driver_removal removal = {.keys = &key, .key_count = 1, .witnesses = witnesses, .witness_count = 2};
    struct error err = {0};

    if (driver->type->remove_unwanted(driver, &removal, 1, LIMIT_S, &err) < 0)
        fail_msg("%s", err.text);
    return removal.is_spared;
}

static void what_is_old_goes(void **state)
{
    (void)state;
    make_old("a/one/link");
    make_old("a/one/more");
    make_old("a/two/link");
    assert_false(is_spared("a/one", "a/one/link", "no/where"));
    assert_tree_is(below("a"), "two/\ntwo/link\n");
    assert_tree_is(below("_temporary"), "");
    assert_false(is_spared("a/one", "a/one/link", "a/one/link"));
}

static void what_one_of_the_witnesses_wants_stays(void **state)
{
    (void)state;
    make_old("a/link");
    make_old("b/data");
    make_file(below("c/data"), "");
    assert_true(is_spared("a", "b/data", "c/data"));
    assert_true(is_spared("a", "c/data", "b/data"));
    assert_tree_is(below("a"), "link\n");
}

static void what_is_wanted_is_as_new(void **state)
{
    struct driver_stat st;
    struct error err = {0};

    (void)state;
    make_old("a/link");
    assert_int_equal(driver->type->want(driver, "a/link", 20, &st, &err), 0);
    assert_true(is_spared("a", "a/link", "a/link"));
    assert_int_equal(driver->type->want(driver, "b/link", 20, &st, &err), DRIVER_NOT_FOUND);
    assert_int_equal(driver->type->want(driver, "a/link/below", 20, &st, &err), DRIVER_NOT_FOUND);
}

static void what_is_published_is_new(void **state)
{
    struct driver_change change = {.kind = DRIVER_TAKE, .key = "b/data"};
    const struct timespec times[2] = {{.tv_sec = OLD_S}, {.tv_sec = OLD_S}};
    struct error err = {0};
    uint64_t size;

    (void)state;
    assert_int_equal(driver->type->session_open(driver, "s/data", &change.session, &size, &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, below("s/data"), times, 0), 0);
    assert_int_equal(driver->type->publish(driver, &change, 1, &err), 0);
    driver->type->session_close(change.session);
    assert_true(is_spared("b", "b/data", "b/data"));
}

/* A lock of somebody else's, in another process as far as the kernel is concerned. */
static int lock_like_a_collector(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void a_collector_that_hangs_holds_nobody_up_for_long(void **state)
{
    struct driver_stat st;
    struct error err = {0};
    int fd;

    (void)state;
    make_old("a/link");
    fd = lock_like_a_collector(ROOT);
    assert_int_equal(driver->type->want(driver, "a/link", 20, &st, &err), -EAGAIN);
    assert_says(&err, "a/link");
    make_file(below("b/link"), "");
    assert_int_equal(driver->type->want(driver, "b/link", 20, &st, &err), 0); /* it is new, and needs no lock */
    close(fd);
    assert_int_equal(driver->type->want(driver, "a/link", 20, &st, &err), 0);
    make_old("a/link");
    fd = lock_like_a_collector(below("_temporary"));
    assert_int_equal(driver->type->want(driver, "a/link", 20, &st, &err), -EAGAIN);
    close(fd);
}

static void *remove_slowly(void *result)
{
    *(bool *)result = is_spared("a", "a/link", "a/link");
    return NULL;
}

/* Whoever is in the middle of wanting something has it. */
static void removal_waits_for_those_who_want(void **state)
{
    int fd = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pthread_t thread;
    bool result = false;

    (void)state;
    make_old("a/link");
    assert_int_equal(flock(fd, LOCK_SH), 0);
    assert_int_equal(pthread_create(&thread, NULL, remove_slowly, &result), 0);
    usleep(20000);
    assert_int_equal(utimensat(AT_FDCWD, below("a/link"), NULL, 0), 0);
    close(fd);
    pthread_join(thread, NULL);
    assert_true(result);
    assert_tree_is(below("a"), "link\n");
}

static void what_a_crash_left_half_removed_is_cleaned(void **state)
{
    struct error err = {0};

    (void)state;
    make_old("_temporary/folder/data");
    assert_int_equal(driver->type->clean(driver, 0, &err), 0);
    assert_tree_is(below("_temporary"), "");
}

/* Where root collects what another user serves. */
static void folders_belong_to_who_owns_the_storage(void **state)
{
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        return;
    make_old("a/link");
    assert_int_equal(chown(ROOT, 12345, 12345), 0);
    assert_false(is_spared("a", "a/link", "a/link"));
    assert_int_equal(stat(below("_temporary"), &st), 0);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(chown(ROOT, 0, 0), 0);
}

#define want_test(function) {#function, function, set_up, tear_down, NULL}

int main(void)
{
    const struct CMUnitTest tests[] = {
        want_test(what_is_old_goes),
        want_test(what_one_of_the_witnesses_wants_stays),
        want_test(what_is_wanted_is_as_new),
        want_test(what_is_published_is_new),
        want_test(a_collector_that_hangs_holds_nobody_up_for_long),
        want_test(removal_waits_for_those_who_want),
        want_test(what_a_crash_left_half_removed_is_cleaned),
        want_test(folders_belong_to_who_owns_the_storage),
    };

    return cmocka_run_group_tests_name("store-want", tests, NULL, NULL);
}
