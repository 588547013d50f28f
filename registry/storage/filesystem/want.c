/*
 * The driver of files: what is wanted, and the removal of what is not, while other processes publish. The time of a
 * file's last change says when it was last wanted, so that whoever comes later knows it, too.
 *
 * Between the look at that time and the removal nobody may want the file: publish() and want() share a lock on the root,
 * remove_unwanted() has it alone, for one removal at a time. The kernel lets those who share pass those who
 * wait to be alone; so all queue at a gate first, a lock on the folder of temporary files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/monotonic.h"
#include "common/random.h"
#include "registry/storage/filesystem/filesystem-private.h"

enum { TRY_AGAIN_NS = 200000, NAME_SIZE = sizeof(FILESYSTEM_TEMPORARY) + RANDOM_UUID_SIZE };

/* --- the lock -------------------------------------------------------------------------------- */

/* Where no locks are known nobody collects garbage, either. */
static int share(int fd, int64_t deadline_ms)
{
    const struct timespec pause = {.tv_nsec = TRY_AGAIN_NS};

    while (flock(fd, LOCK_SH | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return 0;
        if (monotonic_ms() >= deadline_ms)
            return -EAGAIN;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int have_alone(int fd)
{
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* A collector that root runs makes no folder that the server cannot write to. */
static void give_to_owner(const struct filesystem *filesystem)
{
    struct stat st;

    if (geteuid() == 0 && fstat(filesystem->root_fd, &st) == 0 && st.st_uid != 0 &&
        fchownat(filesystem->root_fd, FILESYSTEM_TEMPORARY, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return; /* who may not do that is no such root */
}

int filesystem_open_temporary(const struct filesystem *filesystem)
{
    int fd = file_open_folder(filesystem->root_fd, FILESYSTEM_TEMPORARY);

    if (fd != -ENOENT)
        return fd;
    if (mkdirat(filesystem->root_fd, FILESYSTEM_TEMPORARY, FILESYSTEM_FOLDER_MODE) == 0)
        give_to_owner(filesystem);
    else if (errno != EEXIST)
        return -errno;
    return file_open_folder(filesystem->root_fd, FILESYSTEM_TEMPORARY);
}

int filesystem_guard(const struct filesystem *filesystem, unsigned patience_ms)
{
    const int64_t deadline_ms = monotonic_ms() + patience_ms;
    CLEANUP_CLOSE int gate = filesystem_open_temporary(filesystem);
    CLEANUP_CLOSE int fd = -1;
    int r = gate < 0 ? gate : share(gate, deadline_ms);

    if (r < 0)
        return r;
    fd = file_open_folder(filesystem->root_fd, ".");
    r = fd < 0 ? fd : share(fd, deadline_ms);
    return r < 0 ? r : steal_fd(&fd);
}

/* Keeps everybody else out; the descriptor or -errno. */
static int guard_alone(const struct filesystem *filesystem)
{
    CLEANUP_CLOSE int gate = filesystem_open_temporary(filesystem);
    CLEANUP_CLOSE int fd = -1;
    int r = gate < 0 ? gate : have_alone(gate);

    if (r < 0)
        return r;
    fd = file_open_folder(filesystem->root_fd, ".");
    r = fd < 0 ? fd : have_alone(fd);
    return r < 0 ? r : steal_fd(&fd);
}

/* --- wanting ---------------------------------------------------------------------------------- */

/* 0, DRIVER_NOT_FOUND or -errno. */
static int look(const struct filesystem *filesystem, const char *key, struct stat *ret)
{
    if (fstatat(filesystem->root_fd, key, ret, 0) == 0)
        return 0;
    return errno == ENOENT || errno == ENOTDIR ? DRIVER_NOT_FOUND : -errno;
}

/* What nobody can write to nobody can remove anything from. */
static int note_wanted(const struct filesystem *filesystem, const char *key, unsigned patience_ms)
{
    CLEANUP_CLOSE int guard = filesystem_guard(filesystem, patience_ms);
    int r = guard < 0 ? guard : 0;

    if (r == 0 && utimensat(filesystem->root_fd, key, NULL, 0) < 0)
        r = -errno;
    if (r == -ENOENT || r == -ENOTDIR)
        return DRIVER_NOT_FOUND;
    return r == -EROFS ? 0 : r;
}

int filesystem_want(struct driver *driver, const char *key, unsigned patience_ms, struct driver_stat *ret,
                    struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    struct stat st;
    int r = look(filesystem, key, &st);

    if (r == 0 && st.st_mtim.tv_sec < time(NULL) - DRIVER_WANTED_S)
        r = note_wanted(filesystem, key, patience_ms);
    if (r < 0)
        return filesystem_fail(filesystem, -r, "note the use of", key, err);
    if (r == 0)
        *ret = (struct driver_stat){.size = (uint64_t)st.st_size, .modified_s = time(NULL), .identity = filesystem_identify(&st)};
    return r;
}

/* --- removing what nobody wants ---------------------------------------------------------------- */

/* 1 or 0, or -errno. */
static int is_wanted(const struct filesystem *filesystem, const struct driver_removal *removal, int64_t before_s)
{
    for (size_t i = 0; i < removal->witness_count; i++) {
        struct stat st;
        int r = look(filesystem, removal->witnesses[i], &st);

        if (r < 0)
            return r;
        if (r == 0 && st.st_mtim.tv_sec >= before_s)
            return 1;
    }
    return 0;
}

/*
 * Out of everybody's sight in one step, and then away: a large file takes a while. What a crash leaves is removed by
 * clean(). *ret_name is "" where there was nothing.
 */
static int hide(const struct filesystem *filesystem, const char *key, char ret_name[RANDOM_UUID_SIZE])
{
    char path[NAME_SIZE];

    random_uuid(ret_name);
    snprintf(path, sizeof(path), FILESYSTEM_TEMPORARY "/%s", ret_name);
    if (renameat(filesystem->root_fd, key, filesystem->root_fd, path) == 0)
        return 0;
    *ret_name = '\0';
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static int hide_all(const struct filesystem *filesystem, struct driver_removal *removal, int64_t before_s,
                    char (*ret_names)[RANDOM_UUID_SIZE])
{
    CLEANUP_CLOSE int guard = guard_alone(filesystem);
    int r = guard < 0 ? guard : is_wanted(filesystem, removal, before_s);

    removal->is_spared = r > 0;
    for (size_t i = 0; r == 0 && i < removal->key_count; i++)
        r = hide(filesystem, removal->keys[i], ret_names[i]);
    return r < 0 ? r : 0;
}

static int remove_together(const struct filesystem *filesystem, struct driver_removal *removal, int64_t before_s)
{
    CLEANUP_FREE char(*names)[RANDOM_UUID_SIZE] = calloc(removal->key_count + 1, sizeof(*names));
    CLEANUP_CLOSE int temporary = -1;
    int r = names ? hide_all(filesystem, removal, before_s, names) : -ENOMEM;

    if (r == 0)
        temporary = filesystem_open_temporary(filesystem);
    if (r == 0 && temporary < 0)
        r = temporary;
    for (size_t i = 0; r == 0 && i < removal->key_count; i++) {
        if (*names[i])
            r = filesystem_remove_tree(temporary, names[i]);
    }
    return r;
}

static bool has_same_parent(const char *key, const char *other)
{
    size_t size = (size_t)(strrchr(key, '/') - key);

    return strncmp(key, other, size + 1) == 0 && !strchr(other + size + 1, '/');
}

/* Keys of one folder come one after another. */
static int sync_parents(const struct filesystem *filesystem, const struct driver_removal *removals, size_t count)
{
    const char *last = NULL;
    int r = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; r == 0 && !removals[i].is_spared && k < removals[i].key_count; k++) {
            const char *key = removals[i].keys[k];

            if (!last || !has_same_parent(last, key))
                r = filesystem_sync_parent(filesystem, key);
            last = key;
        }
    }
    return r;
}

int filesystem_remove_unwanted(struct driver *driver, struct driver_removal *removals, size_t count, int64_t before_s,
                               struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    int r = 0;

    for (size_t i = 0; i < count; i++) {
        r = remove_together(filesystem, &removals[i], before_s);
        if (r < 0)
            return filesystem_fail(filesystem, -r, "remove", removals[i].keys[0], err);
    }
    r = sync_parents(filesystem, removals, count);
    return r < 0 ? filesystem_fail(filesystem, -r, "sync the folder of", removals[0].keys[0], err) : 0;
}
