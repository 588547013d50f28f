#include "gpg/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static void a_lock_contains_a_process_and_a_host(void **state)
{
    static const char *const refused[] = {"", "7", "x host", "0 host", "-1 host", "\n"};
    struct gpg_lock lock;

    (void)state;
    assert_true(gpg_lock_parse("         7\nbuildkitsandbox\n", &lock));
    assert_int_equal(lock.pid, 7);
    assert_string_equal(lock.host, "buildkitsandbox");
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_false(gpg_lock_parse(refused[i], &lock));
}

static void make_lock(const char *name, pid_t pid, const char *host)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fprintf(file, "%10d\n%s\n", (int)pid, host);
    assert_int_equal(fclose(file), 0);
}

/* A free process id: that of a child that has exited. */
static pid_t find_free_pid(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

/* As the kernel knows it: "test-lock", unless valgrind or an emulator runs it. */
static const char *own_name(void)
{
    static char name[17];

    assert_int_equal(prctl(PR_GET_NAME, name), 0);
    return name;
}

static void judge_by_the_holder(void **state)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    struct utsname machine;
    struct gpg_lock lock;
    unsigned at = 0;

    (void)state;
    assert_int_equal(uname(&machine), 0);
    assert_int_equal(mkdir("public-keys.d", 0700), 0);
    assert_false(gpg_lock_next(".", &at, &lock));
    make_lock("gnupg_spawn_agent_sentinel.lock", find_free_pid(), machine.nodename);
    make_lock("gnupg_spawn_keyboxd_sentinel.lock", getpid(), machine.nodename);
    make_lock("public-keys.d/pubring.db.lock", getpid(), machine.nodename);
    assert_int_equal(utimensat(AT_FDCWD, "public-keys.d/pubring.db.lock", long_ago, 0), 0);
    make_lock("trustdb.gpg.lock", getpid(), "another-machine");
    at = 0;
    assert_true(gpg_lock_next(".", &at, &lock));
    assert_int_equal(lock.state, GPG_LOCK_STALE);
    assert_true(gpg_lock_next(".", &at, &lock));
    assert_int_equal(lock.state, GPG_LOCK_HELD);
    assert_string_equal(lock.program, own_name());
    assert_true(gpg_lock_next(".", &at, &lock)); /* it is older than this process */
    assert_int_equal(lock.state, GPG_LOCK_STALE);
    assert_true(gpg_lock_next(".", &at, &lock));
    assert_int_equal(lock.state, GPG_LOCK_ELSEWHERE);
    assert_string_equal(lock.path, "./trustdb.gpg.lock");
    assert_false(gpg_lock_next(".", &at, &lock));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_contains_a_process_and_a_host),
        scratch_test(judge_by_the_holder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
