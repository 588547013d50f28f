/*
 * The driver of files: opening. Everything is found from one descriptor of the root, so that nobody can move the store away
 * below us.
 */
#include "registry/storage/filesystem/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/file.h"
#include "registry/storage/filesystem/content-cache.h"
#include "registry/storage/filesystem/folder-cache.h"
#include "registry/storage/filesystem/filesystem-private.h"

static const char below_root[] = "docker/registry/v2";

int filesystem_fail(const struct filesystem *filesystem, int code, const char *verb, const char *key,
                    struct error *err)
{
    return error_set_errno(err, code, "cannot %s %s/%s", verb, filesystem->root, key);
}

int filesystem_make_parents(const struct filesystem *filesystem, const char *key, filesystem_made_function *made,
                            void *object)
{
    CLEANUP_FREE char *path = strdup(key);
    struct stat st;
    char *slash;

    if (!path)
        return -ENOMEM;
    slash = strrchr(path, '/');
    if (slash) { /* as a rule they are there */
        *slash = '\0';
        if (fstatat(filesystem->root_fd, path, &st, 0) == 0)
            return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
        *slash = '/';
    }
    for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        int r;

        *slash = '\0';
        r = mkdirat(filesystem->root_fd, path, FILESYSTEM_FOLDER_MODE) < 0 ? -errno : 0;
        *slash = '/';
        if (r < 0 && r != -EEXIST)
            return r;
        if (r == 0 && made)
            r = made(object, key, (size_t)(slash - path));
        if (r < 0 && r != -EEXIST)
            return r;
    }
    return 0;
}

/* --- opening ---------------------------------------------------------------------------- */

static int filesystem_check(struct driver *driver, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP_CLOSE int fd = file_open_folder(AT_FDCWD, filesystem->root);
    struct stat now, then;

    if (fd < 0)
        return error_set_errno(err, -fd, "cannot reach the storage at %s", filesystem->root);
    if (fstat(fd, &now) < 0 || fstat(filesystem->root_fd, &then) < 0)
        return error_set_errno(err, errno, "cannot reach the storage at %s", filesystem->root);
    if (now.st_dev != then.st_dev || now.st_ino != then.st_ino)
        return error_set(err, ESTALE, "%s is another folder than at start; start registryd anew", filesystem->root);
    return 0;
}

static void filesystem_close(struct driver *driver)
{
    struct filesystem *filesystem = (struct filesystem *)driver;

    if (filesystem->root_fd >= 0)
        close(filesystem->root_fd);
    if (filesystem->lock_fd >= 0)
        close(filesystem->lock_fd);
    content_cache_free(filesystem->contents);
    folder_cache_free(filesystem->folders);
    free(filesystem->root);
    free(filesystem);
}

static const struct driver_type filesystem_type = {
    .close = filesystem_close,
    .check = filesystem_check,
    .stat = filesystem_stat,
    .read = filesystem_read,
    .open = filesystem_open_reader,
    .reader_read = filesystem_reader_read,
    .reader_get_fd = filesystem_reader_get_fd,
    .reader_close = filesystem_reader_close,
    .list = filesystem_list,
    .list_after = filesystem_list_after,
    .publish = filesystem_publish,
    .remove = filesystem_remove,
    .want = filesystem_want,
    .remove_unwanted = filesystem_remove_unwanted,
    .clean = filesystem_clean,
    .session_open = filesystem_session_open,
    .session_append = filesystem_session_append,
    .session_read = filesystem_session_read,
    .session_close = filesystem_session_close,
    .note = filesystem_note,
};

/* Opens a folder; a server makes it and its parents where it is missing. */
static int open_or_make(const char *path, bool may_make)
{
    CLEANUP_FREE char *copy = strdup(path);
    int fd = file_open_folder(AT_FDCWD, path);

    if (fd != -ENOENT || !may_make)
        return fd;
    if (!copy || !*copy)
        return copy ? -ENOENT : -ENOMEM;
    for (char *slash = strchr(copy + 1, '/'); ; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, FILESYSTEM_FOLDER_MODE) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            return file_open_folder(AT_FDCWD, path);
        *slash = '/';
    }
}

/* A storage that knows no locks can be served, but not collected from. */
static int lock(const struct filesystem *filesystem, const char *root_directory, bool is_alone, struct error *err)
{
    if (flock(filesystem->lock_fd, (is_alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK && is_alone)
        return error_set(err, EBUSY, "a server is running on %s", root_directory);
    if (errno == EWOULDBLOCK)
        return error_set(err, EBUSY, "garbage is being collected in %s; wait until that has ended", root_directory);
    if (!is_alone)
        return 0;
    return error_set_errno(err, errno, "cannot lock %s, so a server may be running on it", root_directory);
}

static int open_folders(struct filesystem *filesystem, const char *root_directory, enum driver_sharing sharing,
                        struct error *err)
{
    bool may_make = sharing == DRIVER_SERVES;
    int r;

    filesystem->lock_fd = open_or_make(root_directory, may_make);
    if (filesystem->lock_fd < 0)
        return error_set_errno(err, -filesystem->lock_fd, "cannot open the storage folder %s", root_directory);
    r = lock(filesystem, root_directory, sharing == DRIVER_ALONE, err);
    if (r < 0)
        return r;
    filesystem->root_fd = open_or_make(filesystem->root, may_make);
    if (filesystem->root_fd < 0)
        return error_set_errno(err, -filesystem->root_fd, "cannot open the storage folder %s", filesystem->root);
    return 0;
}

/*
 * Whether a look at a file shows at once what any process made of it. File systems of networks answer from what they were
 * told seconds ago; of those that are not known here the same is feared.
 */
static bool is_local(int fd)
{
    static const unsigned long kinds[] = {
        0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994, 0x2fc12fc1, 0x794c7630,
    }; /* ext4, XFS, Btrfs, F2FS, tmpfs, ZFS, overlayfs */
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((unsigned long)fs.f_type == kinds[i])
            return true;
    return false;
}

int filesystem_open(const char *root_directory, enum driver_sharing sharing, struct driver **ret, struct error *err)
{
    struct filesystem *filesystem = calloc(1, sizeof(*filesystem));
    int r;

    if (!filesystem)
        return error_set_oom(err);
    *filesystem = (struct filesystem){.driver.type = &filesystem_type, .root_fd = -1, .lock_fd = -1};
    if (asprintf(&filesystem->root, "%s/%s", root_directory, below_root) < 0) {
        filesystem->root = NULL;
        r = error_set_oom(err);
    } else {
        r = open_folders(filesystem, root_directory, sharing, err);
    }
    /* Without memory everything is read each time. */
    if (r == 0 && sharing == DRIVER_SERVES && is_local(filesystem->root_fd)) {
        filesystem->contents = content_cache_new();
        filesystem->folders = folder_cache_new();
    }
    if (r < 0)
        filesystem_close(&filesystem->driver);
    else
        *ret = &filesystem->driver;
    return r;
}
