/*
 * Replaces a file by a new one. The file is never written in place, because a server may read it,
 * and the power may fail, at any moment. Its owner, mode and access control list, and a symbolic
 * link to it, stay as they are.
 */
#include "registry/cli/htpasswd/replace-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>

#include "common/file.h"
#include "common/random.h"

enum { ACCESS_LIST_MAX = 4096, TEMPORARY_SIZE = 64 };

#define ACCESS_LIST "system.posix_acl_access"

/* --- the existing file ------------------------------------------------------------------ */

/* The length of the path without its last component: 0, or up to and including a '/'. */
static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash + 1 - path) : 0;
}

static int open_directory(const char *path, struct error *err)
{
    CLEANUP_FREE char *directory = strndup(path, directory_length(path));
    int fd;

    if (!directory)
        return error_set_oom(err);
    fd = file_open_directory(AT_FDCWD, *directory ? directory : ".");
    return fd < 0 ? error_set_errno(err, -fd, "cannot open the directory of %s", path) : fd;
}

static int examine(struct replacement *file, struct error *err)
{
    if (fstatat(file->directory_fd, file->name, &file->old, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && *file->name
                   ? 0
                   : error_set_errno(err, errno, "cannot examine %s", file->path);
    if (!S_ISREG(file->old.st_mode))
        return error_set(err, EINVAL, "%s is not a regular file", file->path);
    if (faccessat(file->directory_fd, file->name, W_OK, AT_EACCESS) < 0)
        return error_set_errno(err, errno, "cannot write to %s", file->path);
    file->exists = true;
    return 0;
}

void replacement_set_model(struct replacement *file, const char *path)
{
    if (!file->exists && stat(path, &file->old) == 0 && S_ISREG(file->old.st_mode))
        file->model = path;
}

static void hold_signals(struct replacement *file)
{
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGQUIT);
    sigprocmask(SIG_BLOCK, &held, &file->mask);
    file->is_masked = true;
}

int replacement_open(const char *path, struct replacement *ret, struct error *err)
{
    int r = file_follow_links(path, &ret->path);

    if (r < 0)
        return error_set_errno(err, -r, "cannot follow %s", path);
    ret->name = ret->path + directory_length(ret->path);
    ret->directory_fd = open_directory(ret->path, err);
    if (ret->directory_fd < 0)
        return ret->directory_fd;
    (void)flock(ret->directory_fd, LOCK_EX); /* some network file systems cannot lock directories */
    hold_signals(ret);
    return examine(ret, err);
}

void replacement_done(struct replacement *file)
{
    cleanup_close_fd(&file->directory_fd);
    free(file->path);
    if (file->is_masked)
        sigprocmask(SIG_SETMASK, &file->mask, NULL);
    *file = (struct replacement)REPLACEMENT_NONE;
}

int replacement_read(const struct replacement *file, size_t limit, char **ret_text,
                     size_t *ret_size, struct error *err)
{
    CLEANUP_CLOSE int fd =
        openat(file->directory_fd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size_t most = (size_t)file->old.st_size < limit ? (size_t)file->old.st_size : limit;
    int r = fd < 0 ? -errno : file_read_all(fd, most, ret_text, ret_size);

    if (r == -EFBIG && most < limit) /* it has just grown */
        r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : file_read_all(fd, limit, ret_text, ret_size);
    return r < 0 ? error_set_errno(err, -r, "cannot read %s", file->path) : 0;
}

/* --- the new file ----------------------------------------------------------------------- */

/* An access control list may let a service read a file of mode 0600. Most files have no list. */
static int copy_access_list(int from, int to)
{
    char list[ACCESS_LIST_MAX];
    ssize_t size = fgetxattr(from, ACCESS_LIST, list, sizeof(list));

    if (size < 0)
        return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
    return fsetxattr(to, ACCESS_LIST, list, (size_t)size, 0) < 0 ? -errno : 0;
}

static int copy_rights(const struct replacement *file, int from, int to)
{
    struct stat st;

    if (fstat(to, &st) < 0)
        return -errno;
    if ((st.st_uid != file->old.st_uid || st.st_gid != file->old.st_gid) &&
        fchown(to, file->old.st_uid, file->old.st_gid) < 0)
        return -errno;
    if (fchmod(to, file->old.st_mode & 07777) < 0)
        return -errno;
    return copy_access_list(from, to);
}

static int take_over(const struct replacement *file, const char *temporary, struct error *err)
{
    CLEANUP_CLOSE int from = file->model ? open(file->model, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                                         : openat(file->directory_fd, file->name,
                                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEANUP_CLOSE int to = openat(file->directory_fd, temporary, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    int r = from < 0 || to < 0 ? -errno : copy_rights(file, from, to);

    if (r == 0 && fsync(to) < 0)
        r = -errno;
    return r < 0 ? error_set_errno(err, -r,
                                   "cannot give the new %s the owner and the mode of the old one",
                                   file->path)
                 : 0;
}

static int put_in_place(const struct replacement *file, const char *temporary, struct error *err)
{
    int r = file->exists || file->model ? take_over(file, temporary, err) : 0;

    if (r < 0)
        return r;
    if (renameat(file->directory_fd, temporary, file->directory_fd, file->name) < 0)
        return error_set_errno(err, errno, "cannot replace %s", file->path);
    return 0;
}

int replacement_write(const struct replacement *file, mode_t mode, const void *data, size_t size,
                      struct error *err)
{
    char temporary[TEMPORARY_SIZE], unique[RANDOM_UUID_SIZE];
    int r;

    random_uuid(unique);
    snprintf(temporary, sizeof(temporary), ".registryd-%s", unique);
    r = file_write_temporary(file->directory_fd, temporary,
                             file->exists || file->model ? 0600 : mode, data, size);
    if (r < 0)
        return error_set_errno(err, -r, "cannot write beside %s", file->path);
    r = put_in_place(file, temporary, err);
    if (r < 0) {
        unlinkat(file->directory_fd, temporary, 0);
        return r;
    }
    r = file_sync_directory(file->directory_fd);
    return r < 0 ? error_set_errno(err, -r, "%s was replaced, but may not survive a power failure",
                                   file->path)
                 : 0;
}
