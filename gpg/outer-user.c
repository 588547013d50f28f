#include "gpg/outer-user.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/macros.h"

enum { MAP_MAX = 16 << 10 }; /* bytes; a map has at most 340 lines */

/*
 * "<first inside> <first outside> <count>" a line; a process outside any user namespace has 0 0
 * 4294967295.
 */
bool gpg_outer_user_map(const char *map, unsigned inside, unsigned *ret_outside)
{
    unsigned long first, outer, count;
    int length;

    while (sscanf(map, " %lu %lu %lu%n", &first, &outer, &count, &length) == 3) {
        if (inside >= first && inside - first < count) {
            *ret_outside = (unsigned)(outer + (inside - first));
            return true;
        }
        map += length;
    }
    return false;
}

/* Without an allocation, because this runs before the helper can report a lack of memory. */
static bool find_outside(const char *map_path, unsigned inside, unsigned *ret)
{
    CLEANUP_CLOSE int fd = open(map_path, O_RDONLY | O_CLOEXEC);
    char map[MAP_MAX + 1];
    size_t size = 0;
    ssize_t r = fd >= 0 ? 1 : -1;

    while (r > 0 && size < MAP_MAX) {
        r = read(fd, map + size, MAP_MAX - size);
        size += r > 0 ? (size_t)r : 0;
    }
    map[size] = '\0';
    return r >= 0 && gpg_outer_user_map(map, inside, ret);
}

bool gpg_outer_user_find(uid_t *ret)
{
    return find_outside("/proc/self/uid_map", getuid(), ret) && *ret != getuid();
}

static bool has_runtime_directory(uid_t uid)
{
    char path[32];
    struct stat st;

    snprintf(path, sizeof(path), "/run/user/%u", (unsigned)uid);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

static bool write_text(const char *path, const char *text, size_t size)
{
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, size) == (ssize_t)size;
}

/* Maps an id of the new namespace to that of the namespace before it. */
static bool write_map(const char *path, unsigned id, unsigned before)
{
    char line[48];
    int size = snprintf(line, sizeof(line), "%u %u 1", id, before);

    return write_text(path, line, (size_t)size);
}

static bool enter_namespace(uid_t outer, gid_t outer_gid)
{
    uid_t uid = getuid();
    gid_t gid = getgid();

    return unshare(CLONE_NEWUSER) == 0 && write_map("/proc/self/uid_map", outer, uid) &&
           write_text("/proc/self/setgroups", "deny", 4) &&
           write_map("/proc/self/gid_map", outer_gid, gid);
}

/*
 * Security modules allow the namespace and refuse the map (AppArmor on Ubuntu 24.04), and there is
 * no way back. So a child tries it first.
 */
static bool can_enter_namespace(uid_t outer, gid_t outer_gid)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(enter_namespace(outer, outer_gid) ? EXIT_SUCCESS : EXIT_FAILURE);
    return child > 0 && waitpid(child, &status, 0) == child && status == EXIT_SUCCESS;
}

void gpg_outer_user_become(void)
{
    uid_t outer;
    gid_t outer_gid;

    if (getuid() == 0 && gpg_outer_user_find(&outer) && !has_runtime_directory(0) &&
        has_runtime_directory(outer) && find_outside("/proc/self/gid_map", getgid(), &outer_gid) &&
        can_enter_namespace(outer, outer_gid))
        (void)!enter_namespace(outer, outer_gid);
}
