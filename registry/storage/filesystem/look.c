#include "registry/storage/filesystem/look.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#ifdef STATX_BTIME

static struct timespec time_of(const struct statx_timestamp *time)
{
    return (struct timespec){.tv_sec = time->tv_sec, .tv_nsec = time->tv_nsec};
}

int look_at(int fd, const char *path, int flags, struct look *ret)
{
    struct statx st;

    if (statx(fd, path, flags,
              STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME | STATX_BTIME,
              &st) < 0)
        return -errno;
    *ret = (struct look){
        .mode = st.stx_mode,
        .device = makedev(st.stx_dev_major, st.stx_dev_minor),
        .inode = st.stx_ino,
        .size = st.stx_size,
        .modified = time_of(&st.stx_mtime),
        .changed = time_of(&st.stx_ctime),
    };
    if (st.stx_mask & STATX_BTIME)
        ret->born = time_of(&st.stx_btime);
    return 0;
}

#else

int look_at(int fd, const char *path, int flags, struct look *ret)
{
    struct stat st;

    if (fstatat(fd, path, &st, flags) < 0)
        return -errno;
    *ret = (struct look){.mode = st.st_mode,
                         .device = (uint64_t)st.st_dev,
                         .inode = (uint64_t)st.st_ino,
                         .size = (uint64_t)st.st_size,
                         .modified = st.st_mtim,
                         .changed = st.st_ctim};
    return 0;
}

#endif

int look_check_regular(const struct look *look)
{
    if (S_ISREG(look->mode))
        return 0;
    return S_ISDIR(look->mode) ? -EISDIR : S_ISLNK(look->mode) ? -ELOOP : -ENXIO;
}

/*
 * The time of birth distinguishes a file from a later one with the same inode number. If it is
 * unknown, the version consists of inode number and size, because refreshing changes the other
 * times.
 */
void look_describe(const struct look *look, struct storage_object *ret)
{
    *ret = (struct storage_object){.size = look->size};
    ret->version = (struct storage_version){
        {look->inode, look->size, (uint64_t)look->born.tv_sec, (uint64_t)look->born.tv_nsec},
    };
}
