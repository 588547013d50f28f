/*
 * Opens the filesystem backend. All paths are relative to one descriptor of the root, so that
 * another process cannot redirect the server by renaming directories above it.
 */
#include "registry/storage/filesystem/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "common/file.h"
#include "registry/storage/filesystem/content-cache.h"
#include "registry/storage/filesystem/directory-cache.h"
#include "registry/storage/filesystem/filesystem-private.h"

static const char below_root[] = "docker/registry/v2";

static const char *kind_of(mode_t mode)
{
    return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

int filesystem_fail(const struct filesystem *filesystem, int code, const char *verb,
                    const char *key, struct error *err)
{
    struct stat st;

    if (code == ELOOP)
        return error_set(
            err, code,
            "cannot %s %s/%s: a symbolic link is in its path, and none is followed below the root "
            "directory; replace it by a bind mount",
            verb, filesystem->root, key);
    if (code == ENXIO && beneath_stat(filesystem->root_fd, key, &st) == 0)
        return error_set(err, code, "cannot %s %s/%s: it is %s; remove it", verb, filesystem->root,
                         key, kind_of(st.st_mode));
    return error_set_errno(err, code, "cannot %s %s/%s", verb, filesystem->root, key);
}

bool filesystem_is_missing(int code)
{
    return code == ENOENT || code == ENOTDIR;
}

bool filesystem_is_private(const char *key)
{
    return strncmp(key, STORAGE_PRIVATE, strlen(STORAGE_PRIVATE)) == 0;
}

/*
 * Creates and opens the directory named by the first size bytes of path. Returns the descriptor or
 * -errno.
 */
static int make_component(int directory_fd, const char *path, size_t size, mode_t mode,
                          bool *ret_is_new)
{
    char name[NAME_MAX + 1];

    if (size >= sizeof(name))
        return -ENAMETOOLONG;
    memcpy(name, path, size);
    name[size] = '\0';
    *ret_is_new = mkdirat(directory_fd, name, mode) == 0;
    if (!*ret_is_new && errno != EEXIST)
        return -errno;
    return beneath_open_directory(directory_fd, name);
}

/* The end of the first component of a path; NULL if it is the last one. */
static const char *find_slash(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash && slash[1] ? slash : NULL;
}

int filesystem_make_parent(const struct filesystem *filesystem, const char *key,
                           struct beneath_name *ret_name, filesystem_created_function *created,
                           void *object)
{
    CLEANUP_CLOSE int directory = beneath_open_parent(filesystem->root_fd, key, ret_name);
    mode_t mode =
        FILESYSTEM_DIRECTORY_MODE & (filesystem_is_private(key) ? FILESYSTEM_PRIVATE : 0777);
    const char *rest = key;
    int r = 0;

    if (directory != -ENOENT) /* the usual case: it exists */
        return directory < 0 ? directory : steal_fd(&directory);
    while (r == 0 && find_slash(rest)) {
        const char *slash = find_slash(rest);
        bool is_new = false;
        int fd = make_component(directory < 0 ? filesystem->root_fd : directory, rest,
                                (size_t)(slash - rest), mode, &is_new);

        if (is_new && created)
            r = created(object, key, (size_t)(slash - key));
        if (fd < 0)
            return fd;
        if (directory >= 0)
            close(directory);
        directory = fd;
        rest = slash + 1;
    }
    return r < 0 ? r : steal_fd(&directory);
}

static int64_t filesystem_now(struct storage *storage)
{
    (void)storage;
    return (int64_t)time(NULL);
}

static bool filesystem_is_remote(const struct storage *storage)
{
    (void)storage;
    return false;
}

/* --- opening ----------------------------------------------------------------------------- */

/*
 * Follows a symbolic link that belongs to root or to our own user, such as one that an
 * administrator created when moving the storage to another disk. The target is read from the same
 * link whose owner was checked. Returns the directory or -errno.
 */
static int open_trusted_link(int directory_fd, const char *name)
{
    CLEANUP_CLOSE int link = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char target[PATH_MAX];
    struct stat st;
    ssize_t size;
    int fd;

    if (link < 0 || fstat(link, &st) < 0)
        return -errno;
    if (!S_ISLNK(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()))
        return -ELOOP;
    size = readlinkat(link, "", target, sizeof(target) - 1);
    if (size < 0)
        return -errno;
    target[size] = '\0';
    fd = openat(directory_fd, target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_part(int directory_fd, const char *name, bool may_create)
{
    int fd = beneath_open_directory(directory_fd, name);

    if (fd == -ENOENT && may_create) {
        if (mkdirat(directory_fd, name, FILESYSTEM_DIRECTORY_MODE) < 0 && errno != EEXIST)
            return -errno;
        fd = beneath_open_directory(directory_fd, name);
    }
    return fd == -ELOOP ? open_trusted_link(directory_fd, name) : fd;
}

/* Opens docker/registry/v2 below the root directory. Returns the descriptor or -errno. */
static int open_below(int root_fd, bool may_create)
{
    static const char *const parts[] = {"docker", "registry", "v2"};
    CLEANUP_CLOSE int directory = -1;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        int fd = open_part(directory < 0 ? root_fd : directory, parts[i], may_create);

        if (fd < 0)
            return fd;
        if (directory >= 0)
            close(directory);
        directory = fd;
    }
    return steal_fd(&directory);
}

static int filesystem_check(struct storage *storage, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    CLEANUP_CLOSE int root = file_open_directory(AT_FDCWD, filesystem->root_directory);
    CLEANUP_CLOSE int fd = root < 0 ? root : open_below(root, false);
    struct stat now, then;

    if (fd < 0)
        return error_set_errno(err, -fd, "cannot reach the storage at %s", filesystem->root);
    if (fstat(fd, &now) < 0 || fstat(filesystem->root_fd, &then) < 0)
        return error_set_errno(err, errno, "cannot reach the storage at %s", filesystem->root);
    if (now.st_dev != then.st_dev || now.st_ino != then.st_ino)
        return error_set(err, ESTALE,
                         "%s is another directory than at the start; restart registryd",
                         filesystem->root);
    return 0;
}

static void filesystem_close(struct storage *storage)
{
    struct filesystem *filesystem = (struct filesystem *)storage;

    if (filesystem->root_fd >= 0)
        close(filesystem->root_fd);
    if (filesystem->lock_fd >= 0)
        close(filesystem->lock_fd);
    content_cache_free(filesystem->contents);
    known_files_free(filesystem->known);
    directory_cache_free(filesystem->directories);
    free(filesystem->root_directory);
    free(filesystem->root);
    free(filesystem);
}

static void filesystem_count_requests(struct storage *storage, struct storage_request_counters *ret)
{
    (void)storage;
    *ret = (struct storage_request_counters){0};
}

static void filesystem_count_cache(struct storage *storage, struct storage_cache_counters *ret)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;

    *ret = (struct storage_cache_counters){0};
    if (filesystem->contents)
        content_cache_count(filesystem->contents, &ret->hits, &ret->misses);
}

static int filesystem_begin_collection(struct storage *storage, struct error *err)
{
    (void)storage;
    (void)err;
    return 0; /* objects remember their own last use */
}

static void filesystem_end_collection(struct storage *storage)
{
    (void)storage;
}

static const struct storage_functions filesystem_functions = {
    .close = filesystem_close,
    .check = filesystem_check,
    .now = filesystem_now,
    .is_remote = filesystem_is_remote,
    .count_cache = filesystem_count_cache,
    .count_requests = filesystem_count_requests,
    .head = filesystem_head,
    .get = filesystem_get,
    .open = filesystem_open_reader,
    .reader_read = filesystem_reader_read,
    .reader_wait = filesystem_reader_wait,
    .reader_get_fd = filesystem_reader_get_fd,
    .reader_close = filesystem_reader_close,
    .list = filesystem_list,
    .write = filesystem_write,
    .remove = filesystem_remove,
    .remove_if_unchanged = filesystem_remove_if_unchanged,
    .note = filesystem_note,
    .refresh = filesystem_refresh,
    .begin_collection = filesystem_begin_collection,
    .end_collection = filesystem_end_collection,
    .used_since = filesystem_used_since,
    .last_use = filesystem_last_use,
    .remove_unused = filesystem_remove_unused,
    .clean_up = filesystem_clean_up,
    .upload_open = filesystem_upload_open,
    .dates_uploads = filesystem_dates_uploads,
    .upload_head = filesystem_upload_head,
    .upload_get_state = filesystem_upload_get_state,
    .upload_append = filesystem_upload_append,
    .upload_keep = filesystem_upload_keep,
    .upload_read = filesystem_upload_read,
    .upload_discard = filesystem_upload_discard,
    .upload_close = filesystem_upload_close,
    .upload_would_wait = filesystem_upload_would_wait,
    .claim = filesystem_claim,
    .claim_check = filesystem_claim_check,
    .claim_release = filesystem_claim_release,
};

/*
 * Opens the root directory and follows links on the way. Creates missing directories if may_create.
 */
static int open_root(const char *path, bool may_create)
{
    CLEANUP_FREE char *copy = strdup(path);
    int fd = file_open_directory(AT_FDCWD, path);

    if (fd != -ENOENT || !may_create)
        return fd;
    if (!copy || !*copy)
        return copy ? -ENOENT : -ENOMEM;
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, FILESYSTEM_DIRECTORY_MODE) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            return file_open_directory(AT_FDCWD, path);
        *slash = '/';
    }
}

/* On a file system without locks, serving works, but garbage collection is refused. */
static int lock_root(const struct filesystem *filesystem, enum filesystem_sharing sharing,
                     struct error *err)
{
    bool is_exclusive = sharing == FILESYSTEM_EXCLUSIVE;
    const char *path = filesystem->root_directory;

    if (flock(filesystem->lock_fd, (is_exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK && is_exclusive)
        return error_set(err, EBUSY, "a server is running on %s", path);
    if (errno == EWOULDBLOCK)
        return error_set(err, EBUSY, "garbage is being collected in %s; wait until that has ended",
                         path);
    if (!is_exclusive)
        return 0;
    return error_set_errno(err, errno, "cannot lock %s, so a server may be running on it", path);
}

static int open_directories(struct filesystem *filesystem, enum filesystem_sharing sharing,
                            struct error *err)
{
    bool may_create = sharing == FILESYSTEM_SERVES;
    int r;

    filesystem->lock_fd = open_root(filesystem->root_directory, may_create);
    if (filesystem->lock_fd < 0)
        return error_set_errno(err, -filesystem->lock_fd, "cannot open the storage directory %s",
                               filesystem->root_directory);
    r = lock_root(filesystem, sharing, err);
    if (r < 0)
        return r;
    filesystem->root_fd = open_below(filesystem->lock_fd, may_create);
    if (filesystem->root_fd == -ELOOP)
        return error_set(
            err, ELOOP,
            "cannot open the storage directory %s: a symbolic link in its path below %s belongs to "
            "another user than root or this one, and is not followed",
            filesystem->root, filesystem->root_directory);
    if (filesystem->root_fd < 0)
        return error_set_errno(err, -filesystem->root_fd, "cannot open the storage directory %s",
                               filesystem->root);
    return 0;
}

/*
 * Removes other users' access to the directory with the keys that sign tokens. Copying the storage
 * or restoring a backup may have granted it.
 */
static int close_private(const struct filesystem *filesystem, struct error *err)
{
    struct stat found;

    if (fstatat(filesystem->root_fd, "private", &found, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISDIR(found.st_mode) || (found.st_mode & 0777 & ~FILESYSTEM_PRIVATE) == 0)
        return 0;
    if (fchmodat(filesystem->root_fd, "private", FILESYSTEM_PRIVATE, 0) < 0 && errno != EROFS)
        return error_set_errno(
            err, errno,
            "other users can read %s/private, which holds keys; cannot change its mode to 700",
            filesystem->root);
    return 0;
}

/*
 * Whether stat() shows changes by any process immediately. Network file systems may return values
 * that are seconds old, and so may unknown file systems.
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

int filesystem_open(const char *root_directory, enum filesystem_sharing sharing,
                    struct storage **ret, struct error *err)
{
    struct filesystem *filesystem = calloc(1, sizeof(*filesystem));
    int r;

    if (!filesystem)
        return error_set_oom(err);
    *filesystem = (struct filesystem){
        .storage.functions = &filesystem_functions, .root_fd = -1, .lock_fd = -1};
    filesystem->root_directory = strdup(root_directory);
    if (asprintf(&filesystem->root, "%s/%s", root_directory, below_root) < 0)
        filesystem->root = NULL;
    r = filesystem->root && filesystem->root_directory ? open_directories(filesystem, sharing, err)
                                                       : error_set_oom(err);
    if (r == 0 && sharing == FILESYSTEM_SERVES)
        r = close_private(filesystem, err);
    /* If there is no memory for the caches, everything is read each time. */
    if (r == 0 && sharing == FILESYSTEM_SERVES && is_local(filesystem->root_fd)) {
        filesystem->contents = content_cache_new();
        filesystem->known = known_files_new();
        filesystem->directories = directory_cache_new();
    }
    if (r < 0)
        filesystem_close(&filesystem->storage);
    else
        *ret = &filesystem->storage;
    return r;
}
