/* filesystem/unused.c: used objects stay, and unused ones are removed atomically. */
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

static struct storage *storage;

static int set_up(void **state)
{
    struct error err = {0};

    return scratch_set_up(state) < 0 ? -1
                                     : filesystem_open("root", FILESYSTEM_SERVES, &storage, &err);
}

static int tear_down(void **state)
{
    storage_close(storage);
    return scratch_tear_down(state);
}

static void make_old(const char *key)
{
    const struct timespec times[2] = {{.tv_sec = OLD_S}, {.tv_sec = OLD_S}};

    make_file(below("%s", key), "");
    assert_int_equal(utimensat(AT_FDCWD, below("%s", key), times, 0), 0);
}

/* Removes key unless one of the witnesses is used; returns whether it was kept. */
static bool is_spared(const char *key, const char *witness, const char *other)
{
    const char *witnesses[] = {witness, other};
    struct storage_removal removal = {
        .keys = &key, .key_count = 1, .witnesses = witnesses, .witness_count = 2};
    struct error err = {0};

    if (storage_remove_unused(storage, &removal, 1, LIMIT_S, &err) < 0)
        fail_msg("%s", err.text);
    return removal.is_spared;
}

static void old_objects_are_removed(void **state)
{
    (void)state;
    make_old("a/one/link");
    make_old("a/one/more");
    make_old("a/two/link");
    assert_false(is_spared("a/one/", "a/one/link", "no/where"));
    assert_tree_is(below("a"), "two/\ntwo/link\n");
    assert_tree_is(below("_temporary"), "");
    assert_false(is_spared("a/one/", "a/one/link", "a/one/link"));
}

static void one_used_witness_prevents_a_removal(void **state)
{
    (void)state;
    make_old("a/link");
    make_old("b/data");
    make_file(below("c/data"), "");
    assert_true(is_spared("a/", "b/data", "c/data"));
    assert_true(is_spared("a/", "c/data", "b/data"));
    assert_tree_is(below("a"), "link\n");
}

static void a_refreshed_object_is_new(void **state)
{
    struct storage_object object;
    struct error err = {0};

    (void)state;
    make_old("a/link");
    assert_int_equal(storage_refresh(storage, "a/link", STORAGE_MUST_NOT_WAIT, &object, &err), 0);
    assert_true(is_spared("a/", "a/link", "a/link"));
    assert_int_equal(storage_refresh(storage, "b/link", STORAGE_MUST_NOT_WAIT, &object, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_refresh(storage, "a/link/below", STORAGE_MUST_NOT_WAIT, &object, &err),
                     STORAGE_NOT_FOUND);
}

static void a_published_object_is_new(void **state)
{
    struct storage_step step = {.kind = STORAGE_PUBLISH, .key = "b/data"};
    const struct timespec times[2] = {{.tv_sec = OLD_S}, {.tv_sec = OLD_S}};
    struct error err = {0};

    (void)state;
    assert_int_equal(
        storage_upload_open(storage, "s/data", STORAGE_UPLOAD_NEW, 0, &step.upload, &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, below("s/data"), times, 0), 0);
    assert_int_equal(storage_write(storage, &step, 1, &err), 0);
    storage_upload_close(step.upload);
    assert_true(is_spared("b/", "b/data", "b/data"));
}

/* A lock of another open file description, which counts as another process. */
static int lock_like_a_collector(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void a_hanging_collector_delays_others_only_briefly(void **state)
{
    struct storage_object object;
    struct error err = {0};
    int fd;

    (void)state;
    make_old("a/link");
    fd = lock_like_a_collector(ROOT);
    assert_int_equal(storage_refresh(storage, "a/link", STORAGE_MUST_NOT_WAIT, &object, &err),
                     STORAGE_WOULD_WAIT);
    make_file(below("b/link"), "");
    assert_int_equal(storage_refresh(storage, "b/link", STORAGE_MUST_NOT_WAIT, &object, &err),
                     0); /* it is new, and needs no lock */
    close(fd);
    assert_int_equal(storage_refresh(storage, "a/link", STORAGE_MUST_NOT_WAIT, &object, &err), 0);
    make_old("a/link");
    fd = lock_like_a_collector(below("_temporary"));
    assert_int_equal(storage_refresh(storage, "a/link", STORAGE_MUST_NOT_WAIT, &object, &err),
                     STORAGE_WOULD_WAIT);
    close(fd);
}

static void *remove_slowly(void *result)
{
    *(bool *)result = is_spared("a/", "a/link", "a/link");
    return NULL;
}

/* An object that is being refreshed is kept. */
static void removal_waits_for_concurrent_refreshes(void **state)
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

static void partial_removals_of_a_crash_are_cleaned_up(void **state)
{
    struct error err = {0};

    (void)state;
    make_old("_temporary/directory/data");
    assert_int_equal(storage_clean_up(storage, 0, &err), 0);
    assert_tree_is(below("_temporary"), "");
}

/* If root collects what another user serves. */
static void directories_belong_to_the_owner_of_the_storage(void **state)
{
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        return;
    make_old("a/link");
    assert_int_equal(chown(ROOT, 12345, 12345), 0);
    assert_false(is_spared("a/", "a/link", "a/link"));
    assert_int_equal(stat(below("_temporary"), &st), 0);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(chown(ROOT, 0, 0), 0);
}

#define unused_test(function)                                                                      \
    {                                                                                              \
#function, function, set_up, tear_down, NULL                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        unused_test(old_objects_are_removed),
        unused_test(one_used_witness_prevents_a_removal),
        unused_test(a_refreshed_object_is_new),
        unused_test(a_published_object_is_new),
        unused_test(a_hanging_collector_delays_others_only_briefly),
        unused_test(removal_waits_for_concurrent_refreshes),
        unused_test(partial_removals_of_a_crash_are_cleaned_up),
        unused_test(directories_belong_to_the_owner_of_the_storage),
    };

    return cmocka_run_group_tests_name("storage-unused", tests, NULL, NULL);
}
