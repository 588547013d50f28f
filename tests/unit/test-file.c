#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static int open_scratch(void)
{
    int fd = file_open_directory(AT_FDCWD, ".");

    assert_true(fd >= 0);
    return fd;
}

/* A descriptor that is not open. */
static int closed_fd(void)
{
    int fd = dup(STDERR_FILENO);

    assert_int_equal(close(fd), 0);
    return fd;
}

static int open_memory(const char *bytes, size_t size)
{
    int fd = memfd_create("test", 0);

    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, bytes, size), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* --- file_write_all ---------------------------------------------------------- */

static void all_bytes_are_written(void **state)
{
    CLEANUP_CLOSE int fd = open("f", O_RDWR | O_CREAT, 0600);
    char content[8] = {0};

    (void)state;
    assert_int_equal(file_write_all(fd, "a\0b\n", 4), 0);
    assert_int_equal(file_write_all(fd, "cd", 2), 0);
    assert_int_equal(pread(fd, content, sizeof(content), 0), 6);
    assert_memory_equal(content, "a\0b\ncd", 6);
}

enum { MORE_THAN_A_PIPE_HOLDS = 300000 };

/* A child reads, so that the writer must wait for it, and write in pieces. */
static int write_much(void *ends)
{
    const int *fds = ends;
    char *bytes = malloc(MORE_THAN_A_PIPE_HOLDS + 1);

    close(fds[0]);
    fill(bytes, 'x', MORE_THAN_A_PIPE_HOLDS);
    return file_write_all(fds[1], bytes, MORE_THAN_A_PIPE_HOLDS) == 0 ? 0 : 1;
}

static void short_writes_are_continued(void **state)
{
    CLEANUP_FREE char *text = NULL;
    int ends[2], status;
    size_t size;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0)
        _exit(write_much(ends));
    close(ends[1]);
    assert_int_equal(file_read_all(ends[0], MORE_THAN_A_PIPE_HOLDS, &text, &size), 0);
    close(ends[0]);
    assert_int_equal(size, MORE_THAN_A_PIPE_HOLDS);
    assert_int_equal(strspn(text, "x"), size);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void writing_nothing_succeeds_anywhere(void **state)
{
    CLEANUP_CLOSE int fd = open("/dev/full", O_WRONLY);

    (void)state;
    assert_int_equal(file_write_all(fd, NULL, 0), 0);
}

static void failures_to_write_are_reported(void **state)
{
    CLEANUP_CLOSE int full = open("/dev/full", O_WRONLY);
    CLEANUP_CLOSE int read_only = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(file_write_all(full, "a", 1), -ENOSPC);
    assert_int_equal(file_write_all(read_only, "a", 1), -EBADF);
    assert_int_equal(file_write_all(closed_fd(), "a", 1), -EBADF);
}

static void a_closed_pipe_is_a_failure(void **state)
{
    int ends[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(file_write_all(ends[1], "a", 1), -EPIPE);
    close(ends[1]);
    signal(SIGPIPE, SIG_DFL);
}

/* --- file_read_all ----------------------------------------------------------- */

static void a_file_is_read_up_to_the_limit(void **state)
{
    static const struct { const char *name, *bytes; size_t size, limit; int expected; } cases[] = {
        {"empty", "", 0, 10, 0},
        {"empty, with a limit of 0", "", 0, 0, 0},
        {"shorter", "abc", 3, 10, 0},
        {"just the limit", "abc", 3, 3, 0},
        {"one more", "abcd", 4, 3, -EFBIG},
        {"far more", "abcdefghij", 10, 3, -EFBIG},
        {"nothing allowed", "a", 1, 0, -EFBIG},
        {"with NULs", "a\0b\0", 4, 4, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_CLOSE int fd = open_memory(cases[i].bytes, cases[i].size);
        CLEANUP_FREE char *text = NULL;
        size_t size = 99;

        assert_case(cases[i].name, file_read_all(fd, cases[i].limit, &text, &size) == cases[i].expected);
        assert_case(cases[i].name, (text != NULL) == (cases[i].expected == 0));
        assert_case(cases[i].name, size == (text ? cases[i].size : 99));
        assert_case(cases[i].name, !text || memcmp(text, cases[i].bytes, size) == 0);
        assert_case(cases[i].name, !text || text[size] == '\0');
    }
}

static void pieces_are_put_together(void **state)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    int ends[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        for (const char *at = "abc"; *at; at++) {
            usleep(2000);
            assert_int_equal(write(ends[1], at, 1), 1);
        }
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(file_read_all(ends[0], 3, &text, &size), 0);
    assert_string_equal(text, "abc");
    close(ends[0]);
    waitpid(pid, NULL, 0);
}

static int alarm_pipe[2];

static void on_alarm(int number)
{
    (void)number;
    if (write(alarm_pipe[1], "late", 4) == 4)
        close(alarm_pipe[1]);
}

static void an_interrupted_read_continues(void **state)
{
    const struct itimerval soon = {.it_value.tv_usec = 5000};
    struct sigaction action = {.sa_handler = on_alarm};
    CLEANUP_FREE char *text = NULL;
    size_t size;

    (void)state;
    assert_int_equal(pipe(alarm_pipe), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0); /* no SA_RESTART: read() fails with EINTR */
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(file_read_all(alarm_pipe[0], 10, &text, &size), 0);
    assert_string_equal(text, "late");
    close(alarm_pipe[0]);
    signal(SIGALRM, SIG_DFL);
}

static void failures_to_read_are_reported_and_keep_the_result(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();
    CLEANUP_CLOSE int write_only = open("/dev/null", O_WRONLY);
    char *text = NULL;
    size_t size = 99;

    (void)state;
    assert_int_equal(file_read_all(directory, 10, &text, &size), -EISDIR);
    assert_int_equal(file_read_all(write_only, 10, &text, &size), -EBADF);
    assert_int_equal(file_read_all(closed_fd(), 10, &text, &size), -EBADF);
    assert_null(text);
    assert_int_equal(size, 99);
}

/* --- file_write_temporary ---------------------------------------------------- */

static void a_temporary_holds_the_data(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();

    (void)state;
    assert_int_equal(file_write_temporary(directory, "t", FILE_MODE_DEFAULT, "content\n", 8), 0);
    assert_file_is("t", "content\n");
    assert_int_equal(file_write_temporary(directory, "empty", FILE_MODE_DEFAULT, NULL, 0), 0);
    assert_tree_is(".", "empty\nt\n");
}

static void the_default_mode_is_what_the_umask_leaves(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();

    (void)state;
    umask(077);
    assert_int_equal(file_write_temporary(directory, "private", FILE_MODE_DEFAULT, "a", 1), 0);
    umask(027);
    assert_int_equal(file_write_temporary(directory, "group", FILE_MODE_DEFAULT, "a", 1), 0);
    assert_mode_is("private", 0600);
    assert_mode_is("group", 0640);
}

static void a_given_mode_is_used_with_any_umask(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();

    (void)state;
    umask(077);
    assert_int_equal(file_write_temporary(directory, "open", 0664, "a", 1), 0);
    umask(0);
    assert_int_equal(file_write_temporary(directory, "closed", S_IFREG | 0400, "a", 1), 0);
    assert_mode_is("open", 0664);
    assert_mode_is("closed", 0400);
}

static void existing_files_are_never_changed(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();

    (void)state;
    make_file("t", "old");
    make_directory("d");
    make_link("dangling", "nowhere");
    make_link("link", "t");
    assert_int_equal(file_write_temporary(directory, "t", FILE_MODE_DEFAULT, "new", 3), -EEXIST);
    assert_int_equal(file_write_temporary(directory, "d", FILE_MODE_DEFAULT, "new", 3), -EEXIST);
    assert_int_equal(file_write_temporary(directory, "dangling", FILE_MODE_DEFAULT, "new", 3), -EEXIST);
    assert_int_equal(file_write_temporary(directory, "link", FILE_MODE_DEFAULT, "new", 3), -EEXIST);
    assert_file_is("t", "old");
    assert_is_absent("nowhere");
}

static void a_missing_directory_is_reported(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();
    CLEANUP_CLOSE int file = open_memory("", 0);
    char name[300];

    (void)state;
    fill(name, 'x', 256);
    make_file("f", "");
    assert_int_equal(file_write_temporary(directory, "no/t", FILE_MODE_DEFAULT, "a", 1), -ENOENT);
    assert_int_equal(file_write_temporary(directory, "f/t", FILE_MODE_DEFAULT, "a", 1), -ENOTDIR);
    assert_int_equal(file_write_temporary(directory, name, FILE_MODE_DEFAULT, "a", 1), -ENAMETOOLONG);
    assert_int_equal(file_write_temporary(file, "t", FILE_MODE_DEFAULT, "a", 1), -ENOTDIR);
    assert_int_equal(file_write_temporary(closed_fd(), "t", FILE_MODE_DEFAULT, "a", 1), -EBADF);
    assert_tree_is(".", "f\n");
}

/* A file size limit simulates a full disk: the first bytes can be written, the rest cannot. */
static int write_beyond_limit(void *directory)
{
    const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    char bytes[10001];

    fill(bytes, 'x', 10000);
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 1;
    return file_write_temporary(*(int *)directory, "t", FILE_MODE_DEFAULT, bytes, 10000) == -EFBIG ? 0 : 2;
}

static void a_write_that_fails_half_way_leaves_nothing(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();

    (void)state;
    assert_int_equal(run_in_child(write_beyond_limit, &directory), 0);
    assert_tree_is(".", "");
}

/* --- directories ----------------------------------------------------------------- */

static void a_directory_can_be_synced(void **state)
{
    CLEANUP_CLOSE int directory = open_scratch();

    (void)state;
    assert_int_equal(file_sync_directory(directory), 0);
    assert_int_equal(file_sync_directory(closed_fd()), -EBADF);
}

/* fsync() of a pipe fails in the same way as for directories of some network file systems. */
static void a_directory_without_support_for_fsync_is_not_a_failure(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(file_sync_directory(ends[0]), 0);
    close(ends[0]);
    close(ends[1]);
}

static void directories_are_opened_from_directories(void **state)
{
    CLEANUP_CLOSE int a = -1, c = -1, through_link = -1;
    struct stat st;

    (void)state;
    make_directory("a/b/c");
    make_link("a/link", "b");
    a = file_open_directory(AT_FDCWD, "a");
    assert_true(a >= 0);
    c = file_open_directory(a, "b/c");
    assert_true(c >= 0 && fstat(c, &st) == 0 && S_ISDIR(st.st_mode));
    through_link = file_open_directory(a, "link");
    assert_true(through_link >= 0);
    assert_true(fcntl(c, F_GETFD) & FD_CLOEXEC);
}

static void only_directories_are_opened(void **state)
{
    char name[300];

    (void)state;
    fill(name, 'x', 256);
    make_file("f", "");
    make_link("dangling", "nowhere");
    make_link("loop", "loop");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(file_open_directory(AT_FDCWD, "no"), -ENOENT);
    assert_int_equal(file_open_directory(AT_FDCWD, ""), -ENOENT);
    assert_int_equal(file_open_directory(AT_FDCWD, "dangling"), -ENOENT);
    assert_int_equal(file_open_directory(AT_FDCWD, "f"), -ENOTDIR);
    assert_int_equal(file_open_directory(AT_FDCWD, "fifo"), -ENOTDIR);
    assert_int_equal(file_open_directory(AT_FDCWD, "loop"), -ELOOP);
    assert_int_equal(file_open_directory(AT_FDCWD, name), -ENAMETOOLONG);
    assert_int_equal(file_open_directory(closed_fd(), "a"), -EBADF);
}

static void links_to_missing_files_are_followed(void **state)
{
    char *path = NULL;

    (void)state;
    assert_int_equal(mkdir("directory", 0700), 0);
    assert_int_equal(symlink("directory/second", "first"), 0);
    assert_int_equal(symlink("third", "directory/second"), 0);
    assert_int_equal(file_follow_links("first", &path), 0);
    assert_string_equal(path, "directory/third");
    free(steal_ptr(&path));
    assert_int_equal(symlink("/nowhere/at/all", "directory/third"), 0);
    assert_int_equal(file_follow_links("first", &path), 0);
    assert_string_equal(path, "/nowhere/at/all");
    free(steal_ptr(&path));
    assert_int_equal(symlink("one", "two"), 0);
    assert_int_equal(symlink("two", "one"), 0);
    assert_int_equal(file_follow_links("one", &path), -ELOOP);
    assert_null(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(all_bytes_are_written),
        scratch_test(short_writes_are_continued),
        scratch_test(writing_nothing_succeeds_anywhere),
        scratch_test(failures_to_write_are_reported),
        scratch_test(a_closed_pipe_is_a_failure),
        scratch_test(a_file_is_read_up_to_the_limit),
        scratch_test(pieces_are_put_together),
        scratch_test(an_interrupted_read_continues),
        scratch_test(failures_to_read_are_reported_and_keep_the_result),
        scratch_test(a_temporary_holds_the_data),
        scratch_test(the_default_mode_is_what_the_umask_leaves),
        scratch_test(a_given_mode_is_used_with_any_umask),
        scratch_test(existing_files_are_never_changed),
        scratch_test(a_missing_directory_is_reported),
        scratch_test(a_write_that_fails_half_way_leaves_nothing),
        scratch_test(a_directory_can_be_synced),
        scratch_test(a_directory_without_support_for_fsync_is_not_a_failure),
        scratch_test(directories_are_opened_from_directories),
        scratch_test(only_directories_are_opened),
        scratch_test(links_to_missing_files_are_followed),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
