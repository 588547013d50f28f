/*
 * Garbage collection while other processes write. A file's modification time records when its
 * object was last created or refreshed, so processes that start later know it, too.
 *
 * No process may refresh an object between the check of that time and the removal. Therefore
 * write() and refresh() take a shared lock on the root, and remove_unused() takes it exclusively,
 * for one removal at a time. The kernel would prefer new shared locks to a process that waits for
 * an exclusive one, so all of them first take another lock, the gate, on the directory of temporary
 * files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "common/monotonic.h"
#include "common/random.h"
#include "common/time-units.h"
#include "registry/storage/filesystem/filesystem-private.h"

/* The collector holds the lock for much less than a millisecond at a time, unless it is stopped. */
enum { REFRESH_PATIENCE_MS = 2000 };

/* --- the lock ---------------------------------------------------------------------------- */

/* A collector that runs as root must not create a directory that the server cannot write to. */
static void give_to_owner(const struct filesystem *filesystem)
{
    struct stat st;

    if (geteuid() == 0 && fstat(filesystem->root_fd, &st) == 0 && st.st_uid != 0 &&
        fchownat(filesystem->root_fd, FILESYSTEM_TEMPORARY, st.st_uid, st.st_gid,
                 AT_SYMLINK_NOFOLLOW) < 0)
        return; /* root without that capability; best effort */
}

int filesystem_open_temporary(const struct filesystem *filesystem)
{
    int fd = beneath_open_directory(filesystem->root_fd, FILESYSTEM_TEMPORARY);

    if (fd != -ENOENT)
        return fd;
    if (mkdirat(filesystem->root_fd, FILESYSTEM_TEMPORARY, FILESYSTEM_DIRECTORY_MODE) == 0)
        give_to_owner(filesystem);
    else if (errno != EEXIST)
        return -errno;
    return beneath_open_directory(filesystem->root_fd, FILESYSTEM_TEMPORARY);
}

/* On a file system without locks garbage collection is refused, so shared locks are not needed. */
static int take(int fd, enum filesystem_guard kind, int64_t deadline_ms)
{
    bool is_exclusive = kind == FILESYSTEM_GUARD_EXCLUSIVE;
    int r = filesystem_lock(fd, is_exclusive ? LOCK_EX : LOCK_SH, deadline_ms);

    return is_exclusive || r == -EAGAIN ? r : 0;
}

int filesystem_guard(const struct filesystem *filesystem, enum filesystem_guard kind,
                     unsigned patience_ms)
{
    const int64_t deadline_ms = monotonic_ms() + patience_ms;
    CLEANUP_CLOSE int gate = filesystem_open_temporary(filesystem);
    CLEANUP_CLOSE int fd = -1;
    int r = gate < 0 ? gate : take(gate, kind, deadline_ms);

    if (r < 0)
        return r;
    fd = beneath_open_directory(filesystem->root_fd, "");
    r = fd < 0 ? fd : take(fd, kind, deadline_ms);
    return r < 0 ? r : steal_fd(&fd);
}

/* --- refreshing -------------------------------------------------------------------------- */

/* On a read-only file system nothing needs to be refreshed, because nothing can be removed. */
static int refresh_file(const struct filesystem *filesystem, const char *key, unsigned patience_ms)
{
    CLEANUP_CLOSE int guard = filesystem_guard(filesystem, FILESYSTEM_GUARD_SHARED, patience_ms);
    CLEANUP_CLOSE int directory = -1;
    struct beneath_name name;

    if (guard < 0)
        return guard == -EROFS ? 0 : guard;
    directory = beneath_open_parent(filesystem->root_fd, key, &name);
    if (directory < 0)
        return directory;
    return utimensat(directory, name.text, NULL, AT_SYMLINK_NOFOLLOW) < 0 && errno != EROFS ? -errno
                                                                                            : 0;
}

int filesystem_refresh(struct storage *storage, const char *key, enum storage_waiting waiting,
                       struct storage_object *ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    struct look look;
    int r = filesystem_look(filesystem, key, &look);

    if (r == 0 && look.modified.tv_sec < time(NULL) - STORAGE_REFRESH_S)
        r = refresh_file(filesystem, key, waiting == STORAGE_MAY_WAIT ? REFRESH_PATIENCE_MS : 0);
    if (r == -EAGAIN)
        return STORAGE_WOULD_WAIT;
    if (r < 0 && filesystem_is_missing(-r))
        return STORAGE_NOT_FOUND;
    if (r < 0)
        return filesystem_fail(filesystem, -r, "note the use of", key, err);
    look_describe(&look, ret);
    return 0;
}

/* The newest modification time of a directory and its entries. 0 or -errno. */
static int find_newest(int directory_fd, int64_t *ret_s)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    struct stat st;
    int r;

    if (fstat(directory_fd, &st) < 0)
        return -errno;
    *ret_s = st.st_mtim.tv_sec;
    r = directory_names_read(directory_fd, &names);
    for (size_t i = 0; r == 0 && i < names.count; i++) {
        if (fstatat(directory_fd, names.names[i]->text, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtim.tv_sec > *ret_s)
            *ret_s = st.st_mtim.tv_sec;
    }
    return r;
}

/* When key, an object or a prefix, was last created or refreshed. 0 or -errno. */
static int find_use(const struct filesystem *filesystem, const char *key, int64_t *ret_s)
{
    CLEANUP_CLOSE int directory = -1;
    struct stat st;
    int r;

    if (key[strlen(key) - 1] == '/') {
        directory = beneath_open_directory(filesystem->root_fd, key);
        return directory < 0 ? directory : find_newest(directory, ret_s);
    }
    r = beneath_stat(filesystem->root_fd, key, &st);
    if (r == 0)
        *ret_s = st.st_mtim.tv_sec;
    return r;
}

int filesystem_used_since(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                          struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    int64_t used_s = 0;
    int r = find_use(filesystem, key, &used_s);

    if (r < 0 && filesystem_is_missing(-r))
        return STORAGE_NOT_FOUND;
    if (r < 0)
        return filesystem_fail(filesystem, -r, "look at", key, err);
    *ret = used_s >= moment_s;
    return 0;
}

int filesystem_last_use(struct storage *storage, const char *key, int64_t *ret_ns,
                        struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    struct stat st;
    int r = beneath_stat(filesystem->root_fd, key, &st);

    if (r < 0 && filesystem_is_missing(-r))
        return STORAGE_NOT_FOUND;
    if (r < 0)
        return filesystem_fail(filesystem, -r, "look at", key, err);
    *ret_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
    return 0;
}

/* --- removing what is unused ------------------------------------------------------------- */

/* Whether a witness was created or refreshed at moment_s or later: 1, 0 or -errno. */
static int is_used(const struct filesystem *filesystem, const struct storage_removal *removal,
                   int64_t moment_s)
{
    for (size_t i = 0; i < removal->witness_count; i++) {
        int64_t used_s;
        int r = find_use(filesystem, removal->witnesses[i], &used_s);

        if (r < 0 && !filesystem_is_missing(-r))
            return r;
        if (r == 0 && used_s >= moment_s)
            return 1;
    }
    return 0;
}

/*
 * Renames the object into the directory of temporary files, which is atomic. It is deleted
 * afterwards, because deleting a large file takes a while. clean_up() deletes what a crash leaves.
 * *ret_name is "" if nothing was at key.
 */
static int hide(const struct filesystem *filesystem, int temporary_fd, const char *key,
                char ret_name[RANDOM_UUID_SIZE])
{
    struct beneath_name name;
    CLEANUP_CLOSE int fd = beneath_open_parent(filesystem->root_fd, key, &name);

    *ret_name = '\0';
    if (fd < 0)
        return filesystem_is_missing(-fd) ? 0 : fd;
    random_uuid(ret_name);
    if (renameat(fd, name.text, temporary_fd, ret_name) == 0)
        return 0;
    *ret_name = '\0';
    return filesystem_is_missing(errno) ? 0 : -errno;
}

static int hide_all(const struct filesystem *filesystem, int temporary_fd,
                    struct storage_removal *removal, int64_t moment_s,
                    char (*ret_names)[RANDOM_UUID_SIZE])
{
    CLEANUP_CLOSE int guard =
        filesystem_guard(filesystem, FILESYSTEM_GUARD_EXCLUSIVE, FILESYSTEM_NO_DEADLINE);
    int r = guard < 0 ? guard : is_used(filesystem, removal, moment_s);

    removal->is_spared = r > 0;
    for (size_t i = 0; r == 0 && i < removal->key_count; i++)
        r = hide(filesystem, temporary_fd, removal->keys[i], ret_names[i]);
    return r < 0 ? r : 0;
}

static int remove_together(const struct filesystem *filesystem, struct storage_removal *removal,
                           int64_t moment_s)
{
    CLEANUP_FREE char(*names)[RANDOM_UUID_SIZE] = calloc(removal->key_count + 1, sizeof(*names));
    CLEANUP_CLOSE int temporary = filesystem_open_temporary(filesystem);
    int r;

    if (!names || temporary < 0)
        return names ? temporary : -ENOMEM;
    r = hide_all(filesystem, temporary, removal, moment_s, names);
    for (size_t i = 0; r == 0 && i < removal->key_count; i++) {
        if (*names[i])
            r = filesystem_remove_tree(temporary, names[i]);
    }
    return r;
}

static size_t parent_size(const char *key)
{
    return beneath_parent_size(key, strlen(key));
}

/* Keys in the same directory follow one another, so each directory is synced once. */
static int sync_parents(const struct filesystem *filesystem, const struct storage_removal *removals,
                        size_t count)
{
    const char *last = NULL;
    int r = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; r == 0 && !removals[i].is_spared && k < removals[i].key_count; k++) {
            const char *key = removals[i].keys[k];
            size_t size = parent_size(key);

            if (!last || parent_size(last) != size || memcmp(last, key, size) != 0)
                r = filesystem_sync_parent(filesystem, key);
            last = key;
        }
    }
    return r;
}

int filesystem_remove_unused(struct storage *storage, struct storage_removal *removals,
                             size_t count, int64_t moment_s, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    int r;

    for (size_t i = 0; i < count; i++) {
        r = remove_together(filesystem, &removals[i], moment_s);
        if (r < 0)
            return filesystem_fail(filesystem, -r, "remove", removals[i].keys[0], err);
    }
    r = sync_parents(filesystem, removals, count);
    return r < 0
               ? filesystem_fail(filesystem, -r, "sync the directory of", removals[0].keys[0], err)
               : 0;
}
