#include "helper/client/save-check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/random.h"

enum { TRIAL_SIZE = 4096 };

/* The state of a check. */
struct trial {
    const char *path; /* as the client names the file */
    char *directory;  /* of path: there the temporary file is made */
    char *target;     /* the path that the rename replaces */
    char *target_directory;
    struct stat stat; /* of target, if it exists */
    bool exists;
};

static void trial_done(struct trial *trial)
{
    free(trial->directory);
    free(trial->target);
    free(trial->target_directory);
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return strndup(path, slash > path ? (size_t)(slash - path) : 1);
}

void client_save_check_done(struct client_save_check *check)
{
    free(check->path);
    *check = (struct client_save_check){0};
}

/* Notes the step that fails; -ENOMEM or 0. */
static int fail(struct client_save_check *ret, enum client_save_result result, const char *path,
                int code)
{
    char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    *ret = (struct client_save_check){.result = result, .code = code, .path = copy};
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

static int try_read(struct trial *trial)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, trial->path, NULL);
    char byte;

    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    return pread(fd, &byte, 1, 0) < 0 ? -errno : 0;
}

/* --- the directory and the temporary file ---------------------------------------------------- */

static int check_access(const char *directory)
{
    return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* Whether `mkdir -p` would make a directory that is missing. */
static int try_make_directory(const char *directory)
{
    CLEANUP_FREE char *at = strdup(directory);
    struct stat st;

    while (at && stat(at, &st) < 0) {
        char *parent;

        if (errno != ENOENT)
            return -errno;
        if (lstat(at, &st) == 0) /* a link that points nowhere */
            return -EEXIST;
        parent = directory_of(at);
        free(at);
        at = parent;
    }
    if (!at)
        return -ENOMEM;
    return S_ISDIR(st.st_mode) ? check_access(at) : -ENOTDIR;
}

/* Some bytes are written as well: a full disk still takes names. */
static int try_create(const char *directory)
{
    static const char zeros[TRIAL_SIZE];
    CLEANUP_CLOSE int directory_fd = file_open_directory(AT_FDCWD, directory);
    char name[RANDOM_UUID_SIZE + 32], uuid[RANDOM_UUID_SIZE];
    int r;

    if (directory_fd < 0)
        return directory_fd;
    if (file_is_append_only(directory_fd)) /* the file could not be removed again */
        return -EPERM;
    random_uuid(uuid);
    snprintf(name, sizeof(name), ".docker-credential-pass.%s", uuid);
    r = file_write_temporary_leniently(directory_fd, name, 0600, zeros, sizeof(zeros));
    if (r == 0 && unlinkat(directory_fd, name, 0) < 0)
        r = -errno;
    return r;
}

/* --- the rename ------------------------------------------------------------------------------ */

/* The mount that a path lies on, links not followed; -1 if the kernel does not say. */
static int get_mount_id(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char name[64], line[128];
    FILE *info;
    int id = -1;

    if (fd < 0)
        return -1;
    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    info = fopen(name, "re");
    while (info && id < 0 && fgets(line, sizeof(line), info))
        if (sscanf(line, "mnt_id: %d", &id) != 1)
            id = -1;
    if (info)
        fclose(info);
    return id;
}

/* Whether two paths, both existing, lie on the same mount. */
static bool is_same_mount(const char *a, const char *b)
{
    int id_a = get_mount_id(a), id_b = get_mount_id(b);
    struct stat st_a, st_b;

    if (id_a >= 0 && id_b >= 0)
        return id_a == id_b;
    return lstat(a, &st_a) == 0 && lstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev;
}

/* "." at the end, so that a link to a directory is followed. */
static char *inside(const char *directory)
{
    char *path = NULL;

    return asprintf(&path, "%s/.", directory) < 0 ? NULL : path;
}

/* In a directory with the sticky bit only the owners of file and directory may replace a file. */
static bool is_kept_by_sticky_bit(const struct trial *trial)
{
    struct stat st;
    uid_t self = geteuid();

    return self != 0 && stat(trial->target_directory, &st) == 0 && (st.st_mode & S_ISVTX) &&
           st.st_uid != self && trial->stat.st_uid != self;
}

/* chattr +i or +a. Not every file system has these flags, or says what they are. */
static bool is_immutable(const struct trial *trial)
{
    CLEANUP_CLOSE int fd = -1;

    if (!S_ISREG(trial->stat.st_mode))
        return false;
    fd = open(trial->target, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && file_is_append_only(fd);
}

static int judge_rename(const struct trial *trial)
{
    CLEANUP_FREE char *from = inside(trial->directory), *to = inside(trial->target_directory);
    int r;

    if (!from || !to)
        return -ENOMEM;
    if (access(to, F_OK) < 0)
        return -errno;
    if (!is_same_mount(from, to))
        return -EXDEV;
    if (trial->exists && !is_same_mount(to, trial->target))
        return -EBUSY;
    r = check_access(to);
    if (r == 0 && trial->exists && (is_kept_by_sticky_bit(trial) || is_immutable(trial)))
        r = -EPERM;
    return r;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int trial_init(struct trial *trial, const char *path, enum client_save_method method)
{
    int r;

    trial->path = path;
    trial->directory = directory_of(path);
    if (method == CLIENT_SAVE_THROUGH_LINK) {
        r = file_follow_links(path, &trial->target);
        if (r < 0)
            return r;
    } else {
        trial->target = strdup(path);
    }
    trial->target_directory = trial->target ? directory_of(trial->target) : NULL;
    if (!trial->directory || !trial->target_directory)
        return -ENOMEM;
    trial->exists = lstat(trial->target, &trial->stat) == 0;
    return 0;
}

/* Creates the temporary file and judges the rename. */
static int try_replace(struct trial *trial, struct client_save_check *ret)
{
    struct stat st;
    int r;

    if (stat(trial->directory, &st) < 0) {
        r = try_make_directory(trial->directory);
        return r >= 0 || r == -ENOMEM
                   ? r
                   : fail(ret, CLIENT_SAVE_CANNOT_MAKE_DIRECTORY, trial->directory, -r);
    }
    r = try_create(trial->directory);
    if (r < 0)
        return r == -ENOMEM ? r : fail(ret, CLIENT_SAVE_CANNOT_CREATE, trial->directory, -r);
    r = judge_rename(trial);
    return r >= 0 || r == -ENOMEM ? r : fail(ret, CLIENT_SAVE_CANNOT_REPLACE, trial->target, -r);
}

bool client_save_is_dead_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && stat(path, &st) < 0;
}

/* A file that the user may not read can be replaced all the same, if the directory is theirs. */
static int run_steps(struct trial *trial, struct client_save_check *ret)
{
    int reading = client_save_is_dead_link(trial->target) ? 0 : try_read(trial), r;

    if (reading == 0)
        return try_replace(trial, ret);
    if (reading == -ENOMEM)
        return reading;
    if (reading != -EACCES)
        return fail(ret, CLIENT_SAVE_CANNOT_READ, trial->path, -reading);
    r = try_replace(trial, ret);
    if (r == 0 && ret->result == CLIENT_SAVE_WORKS)
        return fail(ret, CLIENT_SAVE_IS_UNREADABLE, trial->path, EACCES);
    client_save_check_done(ret);
    return r < 0 ? r : fail(ret, CLIENT_SAVE_CANNOT_READ, trial->path, EACCES);
}

int client_save_check(const char *path, enum client_save_method method,
                      struct client_save_check *ret, struct error *err)
{
    CLEANUP(trial_done) struct trial trial = {0};
    struct client_save_check check = {.result = CLIENT_SAVE_WORKS};
    int r = trial_init(&trial, path, method);

    if (r < 0 && r != -ENOMEM)
        r = fail(&check, CLIENT_SAVE_CANNOT_READ, path, -r);
    else if (r == 0)
        r = run_steps(&trial, &check);
    if (r < 0)
        return error_set_oom(err);
    *ret = check;
    return 0;
}

int client_save_check_explain(const struct client_save_check *check, struct error *err)
{
    const char *path = check->path;

    switch (check->result) {
    case CLIENT_SAVE_WORKS:
        return 0;
    case CLIENT_SAVE_CANNOT_READ:
    case CLIENT_SAVE_IS_UNREADABLE:
        if (check->code == EINVAL)
            return error_set(err, EINVAL, "%s is not a regular file", path);
        return error_set_errno(err, check->code, "cannot read %s", path);
    case CLIENT_SAVE_CANNOT_MAKE_DIRECTORY:
        return error_set_errno(err, check->code, "cannot create the directory %s", path);
    case CLIENT_SAVE_CANNOT_CREATE:
        if (check->code == EPERM)
            return error_set(
                err, EPERM,
                "cannot create and remove a file in %s: the directory is append-only or immutable "
                "(lsattr -d shows it)",
                path);
        return error_set_errno(err, check->code, "cannot create a file in %s", path);
    case CLIENT_SAVE_CANNOT_REPLACE:
        break;
    }
    if (check->code == EBUSY)
        return error_set(
            err, EBUSY,
            "%s cannot be replaced, because it is a mount point: mount its directory instead",
            path);
    if (check->code == EXDEV)
        return error_set(err, EXDEV,
                         "%s cannot be replaced, because the link to it is on another file system",
                         path);
    if (check->code == EPERM)
        return error_set(err, EPERM,
                         "%s cannot be replaced: it is immutable (lsattr shows that), or belongs "
                         "to another user in a directory with the sticky bit",
                         path);
    return error_set_errno(err, check->code, "%s cannot be replaced", path);
}
