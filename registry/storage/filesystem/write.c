/*
 * Makes objects visible. All bytes are written, then all files are synced, then they get their
 * names, and then the directories are synced. In this way a journalling file system has to commit
 * only twice, however many steps there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/file.h"
#include "common/random.h"
#include "registry/storage/filesystem/filesystem-private.h"

/* The collector holds its lock for much less than a millisecond at a time. */
enum { PATIENCE_MS = 5000 };

enum { MAX_TRIES = 100, NO_REPLACE = 1 /* RENAME_NOREPLACE, which musl does not define */ };

/* A directory that must be synced. Its path is the first size bytes of key. */
struct touched {
    const char *key; /* borrowed from a step */
    size_t size;
    bool has_new_child; /* the directory whose name starts at key[size] was created in it */
};

/* The progress of a step. */
struct progress {
    char temporary[RANDOM_UUID_SIZE]; /* the name of a temporary file, or "" */
    int fd;                           /* the file that must be synced, or -1 */
    bool is_borrowed;                 /* fd is the upload's */
};

struct writing {
    struct filesystem *filesystem;
    const struct storage_step *steps;
    size_t count;
    struct progress *progress; /* one for each step */
    int temporary_fd;          /* the directory of temporary files */
    struct touched *touched;
    size_t touched_count;
    const char *failed_key;
};

static void writing_done(struct writing *writing)
{
    for (size_t i = 0; writing->progress && i < writing->count; i++) {
        struct progress *progress = &writing->progress[i];

        if (progress->fd >= 0 && !progress->is_borrowed)
            close(progress->fd);
        if (*progress->temporary)
            unlinkat(writing->temporary_fd, progress->temporary, 0);
    }
    if (writing->temporary_fd >= 0)
        close(writing->temporary_fd);
    free(writing->progress);
    free(writing->touched);
}

/* --- bytes ------------------------------------------------------------------------------- */

static mode_t file_mode_of(const char *key)
{
    return FILESYSTEM_FILE_MODE & (filesystem_is_private(key) ? FILESYSTEM_PRIVATE : 0777);
}

static int create_temporary(struct writing *writing, const char *key, struct progress *progress)
{
    if (writing->temporary_fd < 0)
        writing->temporary_fd = filesystem_open_temporary(writing->filesystem);
    if (writing->temporary_fd < 0)
        return writing->temporary_fd;
    random_uuid(progress->temporary);
    progress->fd = openat(writing->temporary_fd, progress->temporary,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file_mode_of(key));
    if (progress->fd >= 0)
        return 0;
    progress->temporary[0] = '\0';
    return -errno;
}

static int write_bytes(struct writing *writing, const struct storage_step *step,
                       struct progress *progress)
{
    int r = 0;

    if (step->kind == STORAGE_PUT) {
        r = create_temporary(writing, step->key, progress);
        if (r == 0)
            r = file_write_all(progress->fd, step->data, step->size);
    } else if (step->kind == STORAGE_PUBLISH) {
        progress->fd = ((struct filesystem_upload *)step->upload)->fd;
        progress->is_borrowed = true;
        /* The upload's bytes may be old, but the object is created now. */
        r = futimens(progress->fd, NULL) < 0 ? -errno : 0;
    }
    /* Writing starts for all files before the first wait. */
    if (r == 0 && progress->fd >= 0)
        (void)sync_file_range(progress->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return r;
}

static int write_and_sync(struct writing *writing)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < writing->count; i++) {
        writing->failed_key = writing->steps[i].key;
        r = write_bytes(writing, &writing->steps[i], &writing->progress[i]);
    }
    for (size_t i = 0; r == 0 && i < writing->count; i++) {
        writing->failed_key = writing->steps[i].key;
        if (writing->progress[i].fd >= 0 && fdatasync(writing->progress[i].fd) < 0)
            r = -errno;
    }
    return r;
}

/* --- directories that must be synced ----------------------------------------------------- */

static int touch(struct writing *writing, const char *key, size_t size, bool has_new_child)
{
    struct touched *grown;

    for (size_t i = 0; !has_new_child && i < writing->touched_count; i++) {
        const struct touched *item = &writing->touched[i];

        if (item->size == size && memcmp(item->key, key, size) == 0)
            return 0;
    }
    if ((writing->touched_count & (writing->touched_count - 1)) ==
        0) { /* full at each power of two */
        grown =
            reallocarray(writing->touched, writing->touched_count ? writing->touched_count * 2 : 1,
                         sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        writing->touched = grown;
    }
    writing->touched[writing->touched_count++] =
        (struct touched){.key = key, .size = size, .has_new_child = has_new_child};
    return 0;
}

/* The length of the parent directory's part of key, without the '/' at its end. */
static size_t parent_size(const char *key, size_t size)
{
    size_t parent = beneath_parent_size(key, size);

    return parent ? parent - 1 : 0;
}

static int touch_created(void *object, const char *key, size_t size)
{
    return touch(object, key, parent_size(key, size), true);
}

static int touch_parent(struct writing *writing, const char *key)
{
    return touch(writing, key, parent_size(key, strlen(key)), false);
}

/*
 * Records all directories on the way to key: another request may have just created one of them, and
 * not synced it yet.
 */
static int touch_all_parents(struct writing *writing, const char *key)
{
    size_t size = strlen(key);
    int r = 0;

    while (r == 0 && size > 0) {
        size = parent_size(key, size);
        r = touch(writing, key, size, false);
    }
    return r;
}

/*
 * Removes the directories that were created for steps that failed, the innermost first, unless they
 * are in use.
 */
static void remove_empty(const struct writing *writing)
{
    for (size_t i = writing->touched_count; i-- > 0;) {
        const struct touched *item = &writing->touched[i];
        const char *name = item->key + item->size + (item->size ? 1 : 0);
        struct beneath_name last;
        CLEANUP_FREE char *path = NULL;
        CLEANUP_CLOSE int fd = -1;

        if (!item->has_new_child)
            continue;
        path = strndup(item->key, (size_t)(strchrnul(name, '/') - item->key));
        fd = path ? beneath_open_parent(writing->filesystem->root_fd, path, &last) : -1;
        if (fd >= 0)
            unlinkat(fd, last.text, AT_REMOVEDIR);
    }
}

static int sync_directory(const struct filesystem *filesystem, const char *key, size_t size)
{
    CLEANUP_FREE char *path = strndup(key, size);
    CLEANUP_CLOSE int fd = path ? beneath_open_directory(filesystem->root_fd, path) : -ENOMEM;

    if (fd == -ENOENT) /* another process removed it with its contents */
        return 0;
    return fd < 0 ? fd : file_sync_directory(fd);
}

static bool is_synced(const struct writing *writing, size_t i)
{
    const struct touched *item = &writing->touched[i];

    while (i-- > 0) {
        const struct touched *other = &writing->touched[i];

        if (other->size == item->size && memcmp(other->key, item->key, item->size) == 0)
            return true;
    }
    return false;
}

static int sync_directories(struct writing *writing)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < writing->touched_count; i++) {
        const struct touched *item = &writing->touched[i];

        writing->failed_key = item->key;
        if (!is_synced(writing, i))
            r = sync_directory(writing->filesystem, item->key, item->size);
    }
    return r;
}

/* --- names ------------------------------------------------------------------------------- */

int filesystem_rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
    if (syscall(SYS_renameat2, from_fd, from, to_fd, to, NO_REPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* NFS, for example, does not support the flag, but it supports links. */
    if (linkat(from_fd, from, to_fd, to, 0) < 0)
        return -errno;
    return unlinkat(from_fd, from, 0) < 0 ? -errno : 0;
}

/* STORAGE_CONFLICT unless the object has the version of the step. */
static int check_version(int directory_fd, const char *name, const struct storage_version *version)
{
    CLEANUP_CLOSE int fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct storage_object object;

    if (fd < 0)
        return errno == ENOENT ? STORAGE_CONFLICT : -errno;
    return filesystem_describe(fd, &object) == 0 &&
                   storage_version_is_same(&object.version, version)
               ? 0
               : STORAGE_CONFLICT;
}

static int put(struct writing *writing, const struct storage_step *step, struct progress *progress,
               int directory_fd, const char *name)
{
    int r = 0;

    if (step->condition == STORAGE_IF_ABSENT) {
        r = filesystem_rename_new(writing->temporary_fd, progress->temporary, directory_fd, name);
    } else {
        if (step->condition == STORAGE_IF_UNCHANGED)
            r = check_version(directory_fd, name, &step->version);
        if (r == 0 && renameat(writing->temporary_fd, progress->temporary, directory_fd, name) < 0)
            r = -errno;
    }
    if (r == 0)
        progress->temporary[0] = '\0';
    return r;
}

static int publish(struct writing *writing, const struct storage_step *step, int directory_fd,
                   const char *name)
{
    const struct filesystem_upload *upload = (struct filesystem_upload *)step->upload;
    struct beneath_name upload_name;
    CLEANUP_CLOSE int fd =
        beneath_open_parent(writing->filesystem->root_fd, upload->key, &upload_name);
    struct stat st;

    if (fd == -ENOENT || (fstat(upload->fd, &st) == 0 && st.st_nlink == 0))
        return STORAGE_CLAIM_LOST;
    if (fd < 0)
        return fd;
    return filesystem_rename_new(fd, upload_name.text, directory_fd, name);
}

static int mark(int directory_fd, const char *name)
{
    return mkdirat(directory_fd, name, FILESYSTEM_DIRECTORY_MODE) < 0 && errno != EEXIST ? -errno
                                                                                         : 0;
}

static int take_name(struct writing *writing, const struct storage_step *step,
                     struct progress *progress)
{
    struct beneath_name name;
    CLEANUP_CLOSE int fd =
        filesystem_make_parent(writing->filesystem, step->key, &name, touch_created, writing);

    if (fd < 0)
        return fd;
    switch (step->kind) {
    case STORAGE_PUT:
        return put(writing, step, progress, fd, name.text);
    case STORAGE_PUBLISH:
        return publish(writing, step, fd, name.text);
    default:
        return mark(fd, name.text);
    }
}

static int keep(struct writing *writing, const struct storage_step *step)
{
    struct stat st;
    CLEANUP_CLOSE int fd =
        beneath_open_regular(writing->filesystem->root_fd, step->key, O_RDONLY, &st);

    if (fd < 0)
        return filesystem_is_missing(-fd) ? STORAGE_NOT_FOUND : fd;
    if (st.st_mtim.tv_sec < time(NULL) - STORAGE_REFRESH_S && futimens(fd, NULL) < 0)
        return -errno;
    return touch_all_parents(writing, step->key);
}

/*
 * Another process may remove a directory before it is used here. In that case it is created again.
 */
static int make_step(struct writing *writing, const struct storage_step *step,
                     struct progress *progress)
{
    int r = -ENOENT;

    if (step->kind == STORAGE_KEEP)
        return keep(writing, step);
    for (int try = 0; r == -ENOENT && try < MAX_TRIES; try++)
        r = take_name(writing, step, progress);
    if (r == -EEXIST && (step->kind == STORAGE_PUBLISH || step->condition == STORAGE_IF_ABSENT))
        return STORAGE_CONFLICT;
    return r != 0 ? r : touch_parent(writing, step->key);
}

static int make_each(struct writing *writing)
{
    enum filesystem_guard kind = FILESYSTEM_GUARD_SHARED;
    CLEANUP_CLOSE int guard = -1;
    int r;

    /* No other process may rename between the check of the version and the rename. */
    for (size_t i = 0; i < writing->count; i++)
        if (writing->steps[i].kind == STORAGE_PUT &&
            writing->steps[i].condition == STORAGE_IF_UNCHANGED)
            kind = FILESYSTEM_GUARD_EXCLUSIVE;
    guard = filesystem_guard(writing->filesystem, kind, PATIENCE_MS);
    r = guard < 0 ? guard : 0;
    writing->failed_key = FILESYSTEM_TEMPORARY;
    for (size_t i = 0; r == 0 && i < writing->count; i++) {
        writing->failed_key = writing->steps[i].key;
        r = make_step(writing, &writing->steps[i], &writing->progress[i]);
    }
    return r;
}

static int make_all(struct writing *writing)
{
    int r = make_each(writing);

    if (r != 0) {
        const char *failed_key = writing->failed_key;

        remove_empty(writing);
        (void)sync_directories(writing); /* for the steps before the failure */
        writing->failed_key = failed_key;
        return r;
    }
    return sync_directories(writing);
}

int filesystem_write(struct storage *storage, const struct storage_step *steps, size_t count,
                     struct error *err)
{
    CLEANUP(writing_done)
    struct writing writing = {
        .filesystem = (struct filesystem *)storage,
        .steps = steps,
        .count = count,
        .temporary_fd = -1,
    };
    int r;

    writing.progress = calloc(count ? count : 1, sizeof(*writing.progress));
    if (!writing.progress)
        return error_set_oom(err);
    for (size_t i = 0; i < count; i++)
        writing.progress[i].fd = -1;
    r = write_and_sync(&writing);
    if (r == 0)
        r = make_all(&writing);
    return r < 0 ? filesystem_fail(writing.filesystem, -r, "write", writing.failed_key, err) : r;
}

/* A symbolic link at key is neither followed nor replaced. */
int filesystem_note(struct storage *storage, const char *key, const void *data, size_t size,
                    struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    int fd = -ENOENT, r;

    for (int try = 0; fd == -ENOENT && try < MAX_TRIES; try++) {
        struct beneath_name name;
        CLEANUP_CLOSE int directory = filesystem_make_parent(filesystem, key, &name, NULL, NULL);

        if (directory < 0)
            return filesystem_fail(filesystem, -directory, "write", key, err);
        fd = openat(directory, name.text,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
                    file_mode_of(key));
        fd = fd < 0 ? -errno : fd;
    }
    r = fd < 0 ? fd : file_write_all(fd, data, size);
    if (fd >= 0)
        close(fd);
    return r < 0 ? filesystem_fail(filesystem, -r, "write", key, err) : 0;
}
