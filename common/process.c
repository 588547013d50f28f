/*
 * Other programs are run by posix_spawn(), never through a shell.
 */
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

static void set_signal_defaults(posix_spawnattr_t *attributes)
{
    sigset_t all, none;

    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(const char *const argv[], int output_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        set_signal_defaults(&attributes);
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
        if (r == 0)
            r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* Reads to the end, keeps what fits; a writer is never blocked by what does not. */
static void collect(int fd, char *output, size_t size)
{
    char rest[512];
    size_t total = 0;

    for (;;) {
        size_t room = size - 1 - total;
        ssize_t n = room ? read(fd, output + total, room) : read(fd, rest, sizeof(rest));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        total += room ? (size_t)n : 0;
    }
    output[total] = '\0';
}

int process_run(const char *const argv[], char *ret_output, size_t size, int *ret_status)
{
    CLEANUP_CLOSE int read_end = -1;
    int ends[2], status, r;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    read_end = ends[0];
    r = spawn(argv, ends[1], &pid);
    close(ends[1]);
    if (r < 0)
        return r;
    collect(read_end, ret_output, size);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}
