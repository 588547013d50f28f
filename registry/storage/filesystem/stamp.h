#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

/*
 * Whether a file or directory is unchanged. Other processes (registry:2, a second registryd, an
 * administrator's commands) may write to the storage, in place or by a new file. Each such write
 * changes the device, the inode, the size or one of the two times.
 */
static inline bool stamp_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * Whether the next change is certain to change the stamp. If the last change was a moment ago, a
 * second one within the same tick of the file system's clock leaves the stamp the same. Unlike
 * mtime, ctime cannot be set back.
 */
static inline bool stamp_is_settled(const struct stat *stamp)
{
    enum { TICK_S = 2 }; /* longer than the tick of any file system */
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return stamp->st_ctim.tv_sec + TICK_S < now.tv_sec;
}
