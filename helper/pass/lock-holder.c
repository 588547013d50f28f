/*
 * flock() needs only an open descriptor, so any user who can read the store's directory can hold
 * its lock. /proc tells who holds it.
 */
#include "helper/pass/lock-holder.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"

enum { LOCKS_MAX = 1 << 20, STATUS_MAX = 1 << 14, MOST_HOLDERS = 64 };

/*
 * "1: FLOCK  ADVISORY  WRITE 1234 fe:01:131 0 EOF"; "1: -> FLOCK ..." waits. The device (fe:01) is
 * not compared: on btrfs and overlayfs stat() returns another one.
 */
static pid_t parse_line(const char *line, const struct stat *st)
{
    unsigned long long inode;
    char kind[16];
    long pid;

    if (sscanf(line, "%*u: %15s %*s %*s %ld %*x:%*x:%llu", kind, &pid, &inode) != 3 ||
        strcmp(kind, "FLOCK") != 0 || inode != (unsigned long long)st->st_ino || pid <= 0)
        return 0;
    return (pid_t)pid;
}

pid_t pass_lock_parse(const char *text, const struct stat *st, size_t skip)
{
    while (*text) {
        pid_t pid = parse_line(text, st);

        if (pid > 0 && skip-- == 0)
            return pid;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return 0;
}

static int read_proc(const char *path, size_t limit, char **ret_text)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size;

    return fd < 0 ? -errno : file_read_all(fd, limit, ret_text, &size);
}

/*
 * Reads the "Uid:" line, because the directory in /proc belongs to root if the process may not dump
 * core.
 */
static int describe_process(pid_t pid, struct pass_lock_holder *ret)
{
    struct pass_lock_holder holder = {.pid = pid};
    CLEANUP_FREE char *status = NULL;
    const struct passwd *user;
    char path[64], *line;
    unsigned uid;
    int r;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    r = read_proc(path, STATUS_MAX, &status);
    if (r < 0)
        return r == -ENOENT || r == -ESRCH ? -ENOENT : r;
    line = strstr(status, "\nUid:");
    if (!line || sscanf(line, "\nUid: %*u %u", &uid) != 1 ||
        sscanf(status, "Name: %16[^\n]", holder.name) != 1)
        return -ENOENT;
    holder.uid = uid;
    user = getpwuid(uid);
    if (user)
        snprintf(holder.user, sizeof(holder.user), "%s", user->pw_name);
    else
        snprintf(holder.user, sizeof(holder.user), "user %u", uid);
    *ret = holder;
    return 0;
}

int pass_lock_find_holder(int fd, struct pass_lock_holder *ret)
{
    CLEANUP_FREE char *locks = NULL;
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : read_proc("/proc/locks", LOCKS_MAX, &locks);

    if (r < 0)
        return r;
    for (size_t i = 0; i < MOST_HOLDERS; i++) {
        pid_t pid = pass_lock_parse(locks, &st, i);

        if (pid == 0)
            break;
        if (describe_process(pid, ret) == 0)
            return 0;
    }
    return -ENOENT;
}

bool pass_lock_is_stranger(const struct pass_lock_holder *holder, int fd)
{
    struct stat st;

    return holder->uid != geteuid() && holder->uid != 0 && fstat(fd, &st) == 0 &&
           st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}
