/* Process ids are reused: a process that started after the lock was created did not create it. */
#include "gpg/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"

enum { LOCK_MAX = 4096, PROC_STAT_MAX = 4096, CLOCK_SLACK_S = 2 };

static const char *const names[] = {
    "gnupg_spawn_agent_sentinel.lock",
    "gnupg_spawn_keyboxd_sentinel.lock",
    "public-keys.d/pubring.db.lock",
    "pubring.kbx.lock",
    "trustdb.gpg.lock",
};

bool gpg_lock_parse(const char *text, struct gpg_lock *ret)
{
    int pid;

    if (sscanf(text, " %d %199s", &pid, ret->host) != 2 || pid <= 0)
        return false;
    ret->pid = pid;
    return true;
}

/*
 * The start time of a process, in seconds since 1970, and the name of its program. False if /proc
 * does not say.
 */
static bool read_process(pid_t pid, time_t *ret_start, char ret_program[17])
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_CLOSE int fd = -1;
    struct timespec now, since_boot;
    unsigned long long ticks;
    char path[64], *end;
    size_t size;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || file_read_all(fd, PROC_STAT_MAX, &text, &size) < 0)
        return false;
    end = strrchr(text, ')'); /* "<pid> (<program>) <state> ..."; the start is field 22 */
    if (!end || sscanf(text, "%*d (%16[^)]", ret_program) != 1 ||
        sscanf(end + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    *ret_start =
        now.tv_sec - since_boot.tv_sec + (time_t)(ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
    return true;
}

static enum gpg_lock_state judge(struct gpg_lock *lock, const struct stat *st)
{
    struct utsname machine;
    time_t start;

    if (uname(&machine) < 0 || strcmp(lock->host, machine.nodename) != 0)
        return GPG_LOCK_ELSEWHERE;
    if (kill(lock->pid, 0) < 0 && errno == ESRCH)
        return GPG_LOCK_STALE;
    if (read_process(lock->pid, &start, lock->program) && start > st->st_mtime + CLOCK_SLACK_S)
        return GPG_LOCK_STALE;
    return GPG_LOCK_HELD;
}

static bool read_lock(const char *home, const char *name, struct gpg_lock *ret)
{
    struct gpg_lock lock = {.state = GPG_LOCK_HELD};
    CLEANUP_FREE char *text = NULL;
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    size_t size;

    if (snprintf(lock.path, sizeof(lock.path), "%s/%s", home, name) >= (int)sizeof(lock.path))
        return false;
    fd = file_open_regular(AT_FDCWD, lock.path, &st);
    if (fd < 0 || file_read_all(fd, LOCK_MAX, &text, &size) < 0 || !gpg_lock_parse(text, &lock))
        return false;
    lock.state = judge(&lock, &st);
    *ret = lock;
    return true;
}

bool gpg_lock_next(const char *home, unsigned *at, struct gpg_lock *ret)
{
    while (*at < ARRAY_SIZE(names))
        if (read_lock(home, names[(*at)++], ret))
            return true;
    return false;
}
