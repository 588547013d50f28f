/*
 * Checks the directory of the disk cache: whether the server can use it, whether it is on a local
 * disk, and whether it has the room that the configuration promises.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/words.h"
#include "registry/cli/doctor/checks.h"

enum { BLOCK_SIZE = 512 /* of st_blocks */ };

static const char starts_not[] = "The server does not start.";
static const char is_not_filled[] =
    "The server works, but it adds no blob to the cache, so it reads the bucket for each download.";

/* --- rights ---------------------------------------------------------------------------------- */

static bool is_usable(struct report *report, const char *directory, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode)) {
        report_add(report, "cache-unusable", FINDING_BAD, starts_not, "%s is not a directory",
                   directory);
        return false;
    }
    if (st->st_uid != geteuid()) {
        report_add(report, "cache-owner", FINDING_BAD, starts_not,
                   "%s belongs to the user %lu, and the server runs as the user %lu", directory,
                   (unsigned long)st->st_uid, (unsigned long)geteuid());
        return false;
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        report_add(report, "cache-open", FINDING_BAD, starts_not, "other users may write to %s",
                   directory);
        report_set_command(report, "chmod go-w %s", directory);
        return false;
    }
    return true;
}

static void check_writing(struct report *report, const char *directory)
{
    if (faccessat(AT_FDCWD, directory, R_OK | W_OK | X_OK, AT_EACCESS) == 0)
        return;
    report_add(report, "cache-not-writable", FINDING_WARNING, is_not_filled,
               "the user %lu, who the server runs as, cannot read and write %s: %s",
               (unsigned long)geteuid(), directory, strerror(errno));
    if (errno == EACCES)
        report_set_command(report, "chmod u+rwx %s", directory);
}

/* --- the file system ------------------------------------------------------------------------- */

/* The name of a network file system by its number (statfs(2)), or NULL. */
static const char *find_network(unsigned long type)
{
    static const struct {
        unsigned long type;
        const char *name;
    } networks[] = {
        {0x6969, "NFS"},       {0xff534d42, "SMB"},   {0xfe534d42, "SMB"}, {0x517b, "SMB"},
        {0xc36400, "CephFS"},  {0x1021997, "9P"},     {0x5346414f, "AFS"}, {0x1161970, "GFS2"},
        {0x7461636f, "OCFS2"}, {0xbd00bd0, "Lustre"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
        if (networks[i].type == type)
            return networks[i].name;
    return NULL;
}

static void check_network(struct report *report, const char *directory)
{
    struct statfs system;
    const char *name = statfs(directory, &system) == 0
                           ? find_network((unsigned long)system.f_type & UINT32_MAX)
                           : NULL;

    if (name)
        report_add(
            report, "cache-network", FINDING_WARNING,
            "It may be slower than the bucket, and its failures can stop all downloads. Name "
            "a directory on a local disk.",
            "%s is on a network file system (%s)", directory, name);
}

/* What the files in the directory take. */
static uint64_t measure_files(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    uint64_t bytes = 0;
    struct stat st;

    while (directory && (entry = readdir(directory)))
        if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_blocks * BLOCK_SIZE;
    if (directory)
        closedir(directory);
    return bytes;
}

static void check_room(struct report *report, const char *directory, uint64_t max)
{
    struct statvfs room;
    char limit[WORDS_SIZE_MAX], bytes[WORDS_SIZE_MAX];
    uint64_t total, left;

    if (statvfs(directory, &room) < 0)
        return;
    total = (uint64_t)room.f_blocks * room.f_frsize;
    left = (uint64_t)room.f_bavail * room.f_frsize + measure_files(directory);
    words_short_bytes(max, limit);
    if (max > total)
        report_add(report, "cache-larger-than-disk", FINDING_WARNING,
                   "The cache fills the file system, and then takes no more blobs instead of "
                   "evicting old ones. Set storage.cache.maxsize to less than its size.",
                   "storage.cache.maxsize is %s, and the file system of %s has %s", limit,
                   directory, words_short_bytes(total, bytes));
    else if (max > left)
        report_add(
            report, "cache-room", FINDING_WARNING,
            "Once the file system is full, the cache takes no more blobs instead of evicting "
            "old ones. Free space, or set storage.cache.maxsize to less.",
            "storage.cache.maxsize is %s, and the file system of %s has room for %s of it", limit,
            directory, words_short_bytes(left, bytes));
}

/* --- other servers --------------------------------------------------------------------------- */

/* Only if no server with this configuration runs, which would have the lock, too. */
static void check_lock(struct report *report, const char *path)
{
    CLEANUP_CLOSE int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_CLOSE int lock =
        directory < 0 ? -1 : openat(directory, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (lock < 0 || flock(lock, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return;
    report_add(report, "cache-in-use", FINDING_WARNING,
               "The server works without the cache as long as the other one runs. Give each server "
               "a directory of its own.",
               "another process uses %s", path);
}

void check_cache(struct examination *examination)
{
    const struct settings_storage *storage = &examination->settings->storage;
    const char *directory = storage->cache.directory;
    struct report *report = &examination->report;
    struct stat st;

    if (!directory || storage->redirects)
        return;
    if (stat(directory, &st) < 0) {
        report_add(report, errno == ENOENT ? "cache-missing" : "cache-unusable",
                   errno == ENOENT ? FINDING_WARNING : FINDING_BAD,
                   errno == ENOENT
                       ? "The server creates it if it has the rights; with systemd, name "
                         "/var/cache/registryd, which systemd creates."
                       : starts_not,
                   "cannot open the directory %s: %s", directory, strerror(errno));
        return;
    }
    if (!is_usable(report, directory, &st))
        return;
    check_writing(report, directory);
    check_network(report, directory);
    check_room(report, directory, storage->cache.max);
    if (examination->is_port_free)
        check_lock(report, directory);
}
