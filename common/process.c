/*
 * Runs other programs with posix_spawn(), never through a shell.
 */
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "common/children.h"
#include "common/monotonic.h"

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

/* --- waiting --------------------------------------------------------------------------------- */

struct running {
    int fd; /* its output */
    pid_t pid;
    char *output;
    /* output that does not fit is read and discarded, so that the writer never blocks */
    size_t size, used;
    bool has_ended;
    int status;
};

enum { LOOK_MS = 20, LOOK_AFTER_END_MS = 1, MOST_DRAINED = 1 << 20 };

/* 1 if something was read, 0 at the end, or -errno. */
static int read_some(struct running *one)
{
    char rest[4096];
    size_t room = one->size - 1 - one->used;
    ssize_t n =
        room ? read(one->fd, one->output + one->used, room) : read(one->fd, rest, sizeof(rest));

    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    one->used += room ? (size_t)n : 0;
    return n > 0;
}

static int look_for_end(struct running *one)
{
    pid_t r = waitpid(one->pid, &one->status, WNOHANG);

    if (r < 0)
        return -errno;
    one->has_ended = r == one->pid;
    return 0;
}

/* Reads what it wrote before it exited, but not what other processes write later. */
static void drain(struct running *one)
{
    struct pollfd ready = {.fd = one->fd, .events = POLLIN};

    for (int i = 0; i < MOST_DRAINED / 4096 && poll(&ready, 1, 0) == 1 && read_some(one) == 1; i++)
        ;
}

/* 0 if it exited, 1 if the time is over, or -errno. */
static int wait_until(struct running *one, int64_t end_ms)
{
    struct pollfd ready = {.fd = one->fd, .events = POLLIN};
    bool is_open = true;
    int r = 0;

    while (r == 0 && !one->has_ended) {
        /*
         * Usually a program that closes its output exits at once. A process that it started may
         * keep the output open.
         */
        int n = is_open ? poll(&ready, 1, LOOK_MS) : poll(NULL, 0, LOOK_AFTER_END_MS);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 1 && read_some(one) != 1)
            is_open = false;
        if (n != 1 || !is_open)
            r = look_for_end(one);
        if (r == 0 && !one->has_ended && monotonic_ms() >= end_ms)
            return 1;
    }
    return r;
}

/* Kills the child. GPGME's orphans may exist too. */
static int give_up(const struct running *one)
{
    kill(one->pid, SIGTERM); /* also if the list of children cannot be read */
    children_finish(0);
    return -ETIMEDOUT;
}

int process_run(const char *const argv[], int seconds, char *ret_output, size_t size,
                int *ret_status)
{
    struct running one = {.output = ret_output, .size = size};
    CLEANUP_CLOSE int read_end = -1;
    int ends[2], r;

    children_adopt();
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    read_end = one.fd = ends[0];
    r = spawn(argv, ends[1], &one.pid);
    close(ends[1]);
    if (r < 0)
        return r;
    r = wait_until(&one, monotonic_ms() + seconds * INT64_C(1000));
    if (r == 0)
        drain(&one);
    ret_output[one.used] = '\0';
    if (r != 0)
        return r > 0 ? give_up(&one) : r;
    *ret_status = WIFEXITED(one.status) ? WEXITSTATUS(one.status) : 128 + WTERMSIG(one.status);
    return 0;
}

int process_find(const char *name, char **ret_path)
{
    const char *path = getenv("PATH");

    for (const char *at = path; at && *at; at += strcspn(at, ":"), at += *at == ':') {
        CLEANUP_FREE char *file = NULL;

        if (asprintf(&file, "%.*s/%s", (int)strcspn(at, ":"), at, name) < 0) {
            file = NULL;
            return -ENOMEM;
        }
        if (access(file, X_OK) == 0) {
            *ret_path = steal_ptr(&file);
            return 0;
        }
    }
    return -ENOENT;
}
