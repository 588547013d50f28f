#include "helper/pass/lock-holder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static const char locks[] =
    "1: FLOCK  ADVISORY  WRITE 100 fe:01:7 0 EOF\n"
    "2: POSIX  ADVISORY  WRITE 200 fe:01:8 0 EOF\n"
    "3: FLOCK  ADVISORY  READ  300 fe:01:8 0 EOF\n"
    "3: -> FLOCK  ADVISORY  WRITE 400 fe:01:8 0 EOF\n"
    "4: FLOCK  ADVISORY  READ  500 fe:01:8 0 EOF\n"
    "5: FLOCK  ADVISORY  WRITE 0 fe:01:9 0 EOF\n"
    "6: rubbish\n"
    "7: FLOCK  ADVISORY  WRITE 600 fe:01:10 0 EOF";

static pid_t parse(const char *text, ino_t inode, size_t skip)
{
    struct stat st = {.st_ino = inode};

    return pass_lock_parse(text, &st, skip);
}

static void holders_are_found_and_waiters_are_not(void **state)
{
    (void)state;
    assert_int_equal(parse(locks, 7, 0), 100);
    assert_int_equal(parse(locks, 7, 1), 0);
    assert_int_equal(parse(locks, 8, 0), 300);
    assert_int_equal(parse(locks, 8, 1), 500);
    assert_int_equal(parse(locks, 8, 2), 0);
    assert_int_equal(parse(locks, 9, 0), 0);
    assert_int_equal(parse(locks, 10, 0), 600);
    assert_int_equal(parse("", 10, 0), 0);
}

static void our_own_lock_is_recognised(void **state)
{
    CLEANUP_CLOSE int fd = file_open_directory(AT_FDCWD, ".");
    struct pass_lock_holder holder;

    (void)state;
    assert_int_equal(pass_lock_find_holder(fd, &holder), -ENOENT);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(pass_lock_find_holder(fd, &holder), 0);
    assert_int_equal(holder.pid, getpid());
    assert_int_equal(holder.uid, geteuid());
    assert_false(pass_lock_is_stranger(&holder, fd));
}

static void a_holder_without_write_permission_is_a_stranger(void **state)
{
    struct pass_lock_holder holder = {.uid = geteuid() + 1};
    CLEANUP_CLOSE int fd = -1;

    (void)state;
    make_directory("private");
    make_directory("shared");
    assert_int_equal(chmod("private", 0755), 0);
    assert_int_equal(chmod("shared", 0775), 0);
    fd = file_open_directory(AT_FDCWD, "private");
    assert_true(pass_lock_is_stranger(&holder, fd));
    holder.uid = 0;
    assert_false(pass_lock_is_stranger(&holder, fd));
    close(fd);
    holder.uid = geteuid() + 1;
    fd = file_open_directory(AT_FDCWD, "shared");
    assert_false(pass_lock_is_stranger(&holder, fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(holders_are_found_and_waiters_are_not),
        scratch_test(our_own_lock_is_recognised),
        scratch_test(a_holder_without_write_permission_is_a_stranger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
