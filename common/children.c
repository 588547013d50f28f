/*
 * A program that hangs is killed together with its descendants.
 */
#include "common/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { MOST_CHILDREN = 64, PAUSE_MS = 2, GRACE_MS = 1000, KILLING_MS = 2000, MOST_UNSEEN = 2 };

static struct {
    bool is_done;
    pid_t foreign[MOST_CHILDREN];
    size_t foreign_count;
} adoption;

/*
 * Reads process ids from /proc/self/task/<this thread>/children, as many as fit. Safe in a signal
 * handler.
 */
static size_t list(pid_t *ret, size_t most)
{
    CLEANUP_CLOSE int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    char text[2048];
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    size_t count = 0;
    pid_t number = 0;

    for (ssize_t i = 0; i < size && count < most; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            number = number * 10 + (text[i] - '0');
        } else if (number > 0) {
            ret[count++] = number;
            number = 0;
        }
    }
    return count;
}

static bool is_ours(pid_t pid)
{
    for (size_t i = 0; i < adoption.foreign_count; i++)
        if (adoption.foreign[i] == pid)
            return false;
    return getsid(pid) == getsid(0);
}

void children_adopt(void)
{
    if (adoption.is_done)
        return;
    adoption.is_done = true;
    adoption.foreign_count = list(adoption.foreign, MOST_CHILDREN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool children_signal(int number)
{
    pid_t children[MOST_CHILDREN];
    size_t count = list(children, MOST_CHILDREN);
    bool is_any = false;

    for (size_t i = 0; i < count; i++)
        if (is_ours(children[i]) && kill(children[i], number) == 0)
            is_any = true;
    return is_any;
}

/* Reaps children that have exited. Returns the signal that killed one of them, else 0. */
static int reap(void)
{
    pid_t children[MOST_CHILDREN];
    size_t count = list(children, MOST_CHILDREN);
    int died_of = 0, status;

    for (size_t i = 0; i < count; i++)
        if (is_ours(children[i]) && waitpid(children[i], &status, WNOHANG) > 0 &&
            WIFSIGNALED(status) && WTERMSIG(status) != SIGPIPE)
            died_of = WTERMSIG(status);
    return died_of;
}

static bool has_any_child(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/*
 * Waits until no child is left or the time is over, and sends a signal each time it looks (0:
 * none). Returns whether none is left. The kernel's list may skip children while others exit
 * (proc(5)), so it must be empty several times in a row, unless there is no child at all.
 */
static bool wait_for_end(int milliseconds, int number, int *died_of)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000L * 1000};
    int times_unseen = 0;

    for (int waited = 0;; waited += PAUSE_MS) {
        int r = reap();

        if (r)
            *died_of = r;
        times_unseen = children_signal(number) ? 0 : times_unseen + 1;
        if (times_unseen > MOST_UNSEEN || !has_any_child())
            return true;
        if (waited >= milliseconds)
            return false;
        nanosleep(&pause, NULL);
    }
}

int children_finish(int milliseconds)
{
    int died_of = 0, ended_by_us = 0;

    if (wait_for_end(milliseconds, 0, &died_of))
        return died_of;
    children_signal(SIGTERM);
    if (!wait_for_end(GRACE_MS, 0, &ended_by_us))
        (void)wait_for_end(KILLING_MS, SIGKILL, &ended_by_us);
    return died_of;
}
