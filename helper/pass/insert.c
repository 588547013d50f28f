/*
 * Writes entries safely. The order matters: the new content is on disk before a directory is
 * created for it, it gets its name in one step, and entries of other users are removed only after
 * that.
 */
#include "helper/pass/insert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "helper/pass/descend.h"
#include "helper/pass/message.h"
#include "helper/pass/remove.h"

/* Where an entry is after links were followed, and where its temporary file goes. */
struct destination {
    const char *path; /* the entry's, below docker-credential-helpers; borrowed */
    int temporary_fd; /* owned; the temporary file's directory, on the same file system */
    mode_t mode;
    /* of an entry that is a link: the file's name in temporary_fd; else "" */
    char target[PATH_MAX];
};

static void destination_done(struct destination *to)
{
    if (to->temporary_fd >= 0)
        close(to->temporary_fd);
}

/* --- an entry that is a link ----------------------------------------------------------------- */

/*
 * The mode of a replaced file: it stays, as with pass, but without write permission for everybody.
 */
static mode_t keep_mode(mode_t mode)
{
    return mode & 0664;
}

/*
 * 0 if the file is an encrypted message that belongs to the user, else NOT_OURS: a store that
 * somebody else prepared may have links to any file.
 */
enum { NOT_OURS = 1 };
static int check_target(int directory_fd, const char *name, mode_t *ret_mode)
{
    CLEANUP_CLOSE int fd = -1;
    unsigned char first[32];
    struct stat st;
    ssize_t n;

    fd = file_open_regular(directory_fd, name, &st);
    if (fd < 0)
        return fd == -EINVAL ? NOT_OURS : fd;
    n = pread(fd, first, sizeof(first), 0);
    if (n < 0)
        return -errno;
    *ret_mode = keep_mode(st.st_mode);
    return st.st_uid == geteuid() && pass_message_begins(first, (size_t)n) ? 0 : NOT_OURS;
}

static int locate_behind_link(struct pass_store *store, struct destination *to)
{
    CLEANUP_FREE char *link = NULL, *target = NULL;
    char *slash;

    if (asprintf(&link, "%s/" PASS_DIRECTORY "/%s", store->root, to->path) < 0)
        return -ENOMEM;
    target = realpath(link, NULL);
    if (!target) /* a link that leads nowhere is replaced like any file */
        return errno == ENOENT || errno == ELOOP ? 0 : -errno;
    slash = strrchr(target, '/');
    *slash = '\0';
    close(to->temporary_fd);
    to->temporary_fd = file_open_directory(AT_FDCWD, *target ? target : "/");
    if (to->temporary_fd < 0)
        return to->temporary_fd;
    snprintf(to->target, sizeof(to->target), "%s", slash + 1);
    return check_target(to->temporary_fd, to->target, &to->mode);
}

/* --- writing --------------------------------------------------------------------------------- */

static int locate(struct pass_store *store, struct destination *to)
{
    CLEANUP_CLOSE int fd = -1;
    const char *leaf;
    struct stat st;

    to->temporary_fd = file_open_directory(store->directory_fd, ".");
    if (to->temporary_fd < 0)
        return to->temporary_fd;
    fd = pass_descend(store->directory_fd, to->path, false, &leaf);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (fstatat(fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISLNK(st.st_mode))
        return locate_behind_link(store, to);
    if (S_ISREG(st.st_mode))
        to->mode = keep_mode(st.st_mode);
    return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

/*
 * Under the lock, an existing temporary file was left by a crash. If a directory has that name,
 * another name is used.
 */
static int write_temporary(struct pass_store *store, struct destination *to,
                           const struct secbuf *message)
{
    int r = file_write_temporary_leniently(to->temporary_fd, store->temporary, to->mode,
                                           message->data, message->size);

    if (r != -EEXIST || !store->has_lock)
        return r;
    if (unlinkat(to->temporary_fd, store->temporary, 0) < 0)
        pass_store_name_temporary(store, true);
    return file_write_temporary_leniently(to->temporary_fd, store->temporary, to->mode,
                                          message->data, message->size);
}

static int publish_behind_link(const struct pass_store *store, struct destination *to)
{
    if (renameat(to->temporary_fd, store->temporary, to->temporary_fd, to->target) < 0)
        return -errno;
    return file_sync_directory(to->temporary_fd);
}

static int publish(const struct pass_store *store, struct destination *to)
{
    CLEANUP_CLOSE int fd = -1;
    const char *leaf;

    if (*to->target)
        return publish_behind_link(store, to);
    fd = pass_descend(store->directory_fd, to->path, true, &leaf);
    if (fd < 0)
        return fd;
    if (renameat(to->temporary_fd, store->temporary, fd, leaf) < 0)
        return -errno;
    /* The entry is in place, but may not survive a power failure. */
    return file_sync_directory(fd);
}

static int write_entry(struct pass_store *store, const char *path, const struct secbuf *message)
{
    CLEANUP(destination_done)
    struct destination to = {.path = path, .temporary_fd = -1, .mode = FILE_MODE_DEFAULT};
    int r = locate(store, &to);

    if (r == 0)
        r = write_temporary(store, &to, message);
    if (r != 0)
        return r;
    r = publish(store, &to);
    if (r < 0) {
        unlinkat(to.temporary_fd, store->temporary, 0);
        if (!*to.target)
            pass_ascend_removing(store->directory_fd, path);
    }
    return r;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int explain(const struct pass_store *store, const char *path, int r, struct error *err)
{
    if (r == NOT_OURS)
        return error_set(err, EPERM,
                         "%s/" PASS_DIRECTORY
                         "/%s is a link to something other than an encrypted message of yours, "
                         "which is not overwritten; look where it leads, and remove it",
                         store->root, path);
    if (r == -ELOOP)
        return error_set(err, ELOOP,
                         "%s/" PASS_DIRECTORY
                         "/%s cannot be written: one of its directories is a link, and nothing is "
                         "written through links; look where it leads, and remove it",
                         store->root, path);
    return error_set_errno(err, -r, "cannot write %s/" PASS_DIRECTORY "/%s", store->root, path);
}

int pass_insert(struct pass_store *store, const struct pass_path *path,
                const struct secbuf *message, struct pass_changes *changes, struct error *err)
{
    char file[sizeof(path->directory) + sizeof(path->file)];
    int r = pass_store_open_directory(store, true, err);

    if (r < 0)
        return r;
    snprintf(file, sizeof(file), "%s/%s", path->directory, path->file);
    r = write_entry(store, file, message);
    if (r != 0) {
        unlinkat(store->root_fd, PASS_DIRECTORY, AT_REMOVEDIR); /* removed only if it is empty */
        return explain(store, file, r, err);
    }
    r = pass_changes_add(changes, false, path->directory, path->file);
    if (r < 0)
        return error_set_oom(err);
    return pass_remove_others(store, path, changes, err);
}
