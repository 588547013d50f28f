#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/* The tests run a shell; process_run() itself needs none. */
static int run_script(const char *script, char *ret_output, size_t size)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    int status = -1;

    assert_case(script, process_run(argv, 60, ret_output, size, &status) == 0);
    return status;
}

static void assert_prints(const char *script, const char *expected)
{
    char output[256];

    assert_int_equal(run_script(script, output, sizeof(output)), 0);
    assert_string_equal(output, expected);
}

static void both_streams_are_collected_in_order(void **state)
{
    (void)state;
    assert_prints("echo a; echo b >&2; echo c", "a\nb\nc\n");
    assert_prints(":", "");
    assert_prints("printf '\\303\\251'", "\xC3\xA9");
}

static void the_exit_status_is_returned(void **state)
{
    static const int statuses[] = {0, 1, 2, 127, 255};
    char script[32], output[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        snprintf(script, sizeof(script), "exit %d", statuses[i]);
        assert_int_equal(run_script(script, output, sizeof(output)), statuses[i]);
    }
}

static void a_signal_is_returned_as_128_plus_its_number(void **state)
{
    char output[8];

    (void)state;
    assert_int_equal(run_script("kill -TERM $$", output, sizeof(output)), 128 + SIGTERM);
    assert_int_equal(run_script("kill -KILL $$", output, sizeof(output)), 128 + SIGKILL);
}

static void output_beyond_the_buffer_is_discarded(void **state)
{
    static const struct { size_t size; const char *kept; } cases[] = {
        {1, ""}, {2, "a"}, {6, "abcde"}, {7, "abcdef"}, {8, "abcdef"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char output[16];

        fill(output, '#', sizeof(output) - 1);
        assert_int_equal(run_script("printf abcdef", output, cases[i].size), 0);
        assert_string_equal(output, cases[i].kept);
        assert_int_equal(output[cases[i].size], '#');
    }
}

static void a_program_is_killed_with_its_children_after_the_timeout(void **state)
{
    static const char *const scripts[] = {
        "echo started; sleep 1000",
        "trap '' TERM; (trap '' TERM; sleep 1000; sleep 1000) & sleep 1000; wait",
        "kill -STOP $$",
        "exec >&- 2>&-; sleep 1000",
        "yes",
    };
    char output[16];
    int status;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        const char *const argv[] = {"sh", "-c", scripts[i], NULL};

        assert_case(scripts[i], process_run(argv, 1, output, sizeof(output), &status) == -ETIMEDOUT);
        assert_case(scripts[i], waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    }
}

static void background_processes_are_not_waited_for(void **state)
{
    const char *const argv[] = {"sh", "-c", "echo before; sleep 20 & echo $!", NULL};
    char output[64];
    int status;
    pid_t left;

    (void)state;
    assert_int_equal(process_run(argv, 10, output, sizeof(output), &status), 0); /* and not -ETIMEDOUT */
    assert_int_equal(strncmp(output, "before\n", 7), 0);
    left = (pid_t)strtol(output + 7, NULL, 10);
    assert_int_equal(kill(left, SIGKILL), 0); /* it is still running */
    assert_int_equal(waitpid(left, NULL, 0), left); /* and is now our child */
}

static void much_output_does_not_block(void **state)
{
    char output[4];

    (void)state;
    assert_int_equal(run_script("head -c 1000000 /dev/zero | tr '\\0' x; exit 3", output, sizeof(output)), 3);
    assert_string_equal(output, "xxx");
}

static void arguments_pass_unchanged(void **state)
{
    const char *const argv[] = {"printf", "%s|", "a b", "", "$HOME", "`id`", "*", "';\"", "\n", NULL};
    char output[64];
    int status;

    (void)state;
    assert_int_equal(process_run(argv, 60, output, sizeof(output), &status), 0);
    assert_string_equal(output, "a b||$HOME|`id`|*|';\"|\n|");
}

static void the_child_reads_an_empty_stdin(void **state)
{
    (void)state;
    assert_prints("cat; echo end", "end\n");
    assert_prints("readlink /proc/self/fd/0", "/dev/null\n");
}

static void environment_and_working_directory_are_inherited(void **state)
{
    char expected[128];

    (void)state;
    setenv("UNIT_TEST_VALUE", "a b", 1);
    assert_prints("echo \"$UNIT_TEST_VALUE\"", "a b\n");
    unsetenv("UNIT_TEST_VALUE");
    assert_prints("echo \"$UNIT_TEST_VALUE\"", "\n");
    snprintf(expected, sizeof(expected), "%s\n", scratch_directory());
    assert_prints("pwd -P", expected);
}

static void a_program_is_looked_up_on_path(void **state)
{
    const char *const argv[] = {"only-here", NULL};
    char *path = strdup(getenv("PATH"));
    char output[16];
    int status;

    (void)state;
    make_file("bin/only-here", "#!/bin/sh\necho found\n");
    assert_int_equal(chmod("bin/only-here", 0755), 0);
    setenv("PATH", "bin", 1);
    assert_int_equal(process_run(argv, 60, output, sizeof(output), &status), 0);
    assert_string_equal(output, "found\n");
    setenv("PATH", path, 1);
    free(path);
}

static void assert_cannot_run(const char *program, int expected)
{
    const char *const argv[] = {program, NULL};
    char output[8];
    int status = 99;

    assert_case(program, process_run(argv, 60, output, sizeof(output), &status) == expected);
    assert_int_equal(status, 99);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no child is left over */
    assert_int_equal(errno, ECHILD);
}

static void a_program_that_cannot_be_run_is_a_failure(void **state)
{
    (void)state;
    make_file("not-executable", "#!/bin/sh\n");
    make_file("no-interpreter", "#!/nowhere/sh\n");
    assert_int_equal(chmod("no-interpreter", 0755), 0);
    assert_cannot_run("there-is-no-such-program", -ENOENT);
    assert_cannot_run("./there-is-no-such-program", -ENOENT);
    assert_cannot_run("./not-executable", -EACCES);
    assert_cannot_run("./no-interpreter", -ENOENT);
    assert_cannot_run("./not-executable/x", -ENOTDIR);
    assert_cannot_run(".", -EACCES);
}

static void signals_are_at_their_defaults(void **state)
{
    sigset_t blocked;
    char output[8];

    (void)state;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    assert_int_equal(run_script("kill -TERM $$; exit 0", output, sizeof(output)), 128 + SIGTERM);
    assert_int_equal(run_script("kill -PIPE $$; exit 0", output, sizeof(output)), 128 + SIGPIPE);
    assert_int_equal(run_script("kill -INT $$; exit 0", output, sizeof(output)), 128 + SIGINT);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

/* The number of inherited descriptors from 3 on, because the caller of this test may have left some open. */
static int count_inherited(void)
{
    int count = 0;

    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);

        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

static void the_child_has_only_two_descriptors_of_the_pipe(void **state)
{
    char expected[16];

    (void)state;
    /* 0 to 2, and the one that ls uses for the directory. */
    snprintf(expected, sizeof(expected), "%d\n", count_inherited() + 4);
    assert_prints("ls /proc/self/fd | wc -l | tr -d ' '", expected);
}

/* Returns 0 if nothing was written to a stdout that is a pipe. */
static int run_with_watched_stdout(void *unused)
{
    int ends[2];
    char output[16], byte;

    (void)unused;
    if (pipe(ends) < 0 || dup2(ends[1], STDOUT_FILENO) < 0)
        return 1;
    close(ends[1]);
    if (run_script("echo a; echo b >&2", output, sizeof(output)) != 0 || strcmp(output, "a\nb\n") != 0)
        return 2;
    close(STDOUT_FILENO);
    return read(ends[0], &byte, 1) == 0 ? 0 : 3;
}

static void our_own_stdout_is_never_written(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(run_with_watched_stdout, NULL), 0);
}

static int run_without_standard_streams(void *closed)
{
    const char *const argv[] = {"sh", "-c", "cat; echo a; echo b >&2", NULL};
    char output[16];
    int status;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (*(int *)closed >> fd & 1)
            close(fd);
    if (process_run(argv, 60, output, sizeof(output), &status) != 0 || status != 0)
        return 1;
    return strcmp(output, "a\nb\n") == 0 ? 0 : 2;
}

static void closed_standard_streams_do_no_harm(void **state)
{
    (void)state;
    for (int closed = 0; closed < 8; closed++)
        assert_int_equal(run_in_child(run_without_standard_streams, &closed), 0);
}

static int run_without_free_descriptors(void *unused)
{
    const char *const argv[] = {"true", NULL};
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
    char output[8];
    int status;

    (void)unused;
    for (int fd = 3; fd < 32; fd++)
        close(fd);
    if (setrlimit(RLIMIT_NOFILE, &none) < 0)
        return 1;
    return process_run(argv, 60, output, sizeof(output), &status) == -EMFILE ? 0 : 2;
}

static void no_more_descriptors_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(run_without_free_descriptors, NULL), 0);
}

static void a_program_is_searched_as_in_a_shell(void **state)
{
    char *path = NULL;

    (void)state;
    make_file("a/x", "no program");
    make_file("b/x", "#!/bin/sh\n");
    make_file("c/x", "#!/bin/sh\n");
    assert_int_equal(chmod("b/x", 0755) | chmod("c/x", 0755), 0);
    setenv("PATH", "a:nowhere:b:c", 1);
    assert_int_equal(process_find("x", &path), 0);
    assert_string_equal(path, "b/x");
    free(path);
    assert_int_equal(process_find("y", &path), -ENOENT);
    setenv("PATH", "", 1);
    assert_int_equal(process_find("x", &path), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(both_streams_are_collected_in_order),
        scratch_test(the_exit_status_is_returned),
        scratch_test(a_signal_is_returned_as_128_plus_its_number),
        scratch_test(output_beyond_the_buffer_is_discarded),
        scratch_test(a_program_is_killed_with_its_children_after_the_timeout),
        scratch_test(background_processes_are_not_waited_for),
        scratch_test(much_output_does_not_block),
        scratch_test(arguments_pass_unchanged),
        scratch_test(the_child_reads_an_empty_stdin),
        scratch_test(environment_and_working_directory_are_inherited),
        scratch_test(a_program_is_looked_up_on_path),
        scratch_test(a_program_that_cannot_be_run_is_a_failure),
        scratch_test(signals_are_at_their_defaults),
        scratch_test(the_child_has_only_two_descriptors_of_the_pipe),
        scratch_test(our_own_stdout_is_never_written),
        scratch_test(closed_standard_streams_do_no_harm),
        scratch_test(no_more_descriptors_is_a_failure),
        scratch_test(a_program_is_searched_as_in_a_shell),
    };

    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
