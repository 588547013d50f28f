/*
 * The safe write. The order is everything: the new content is on disk before a folder is made
 * for it, it takes its name in one step, and others lose theirs only after that.
 */
#include "helper/pass/insert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "helper/pass/remove.h"

/* Where an entry really lies, and where its temporary file goes. */
struct destination {
    int folder_fd;         /* owned; the temporary file's folder, on the same file system */
    char name[PATH_MAX];   /* the final name, from folder_fd */
    mode_t mode;
    bool is_behind_link;
};

static void destination_done(struct destination *to)
{
    if (to->folder_fd >= 0)
        close(to->folder_fd);
}

static int locate_behind_link(struct pass_store *store, struct destination *to)
{
    CLEANUP_FREE char *link = NULL, *target = NULL;
    char *slash;

    if (asprintf(&link, "%s/" PASS_FOLDER "/%s", store->root, to->name) < 0)
        return -ENOMEM;
    target = realpath(link, NULL);
    if (!target) /* a dangling link is replaced like any file */
        return errno == ENOENT ? 0 : -errno;
    slash = strrchr(target, '/');
    *slash = '\0';
    close(to->folder_fd);
    to->folder_fd = file_open_folder(AT_FDCWD, *target ? target : "/");
    snprintf(to->name, sizeof(to->name), "%s", slash + 1);
    to->is_behind_link = true;
    return to->folder_fd < 0 ? to->folder_fd : 0;
}

static int locate(struct pass_store *store, const struct pass_path *path, struct destination *to)
{
    struct stat st;
    int r = 0;

    to->mode = FILE_MODE_DEFAULT;
    to->folder_fd = file_open_folder(store->folder_fd, ".");
    if (to->folder_fd < 0)
        return to->folder_fd;
    snprintf(to->name, sizeof(to->name), "%s/%s", path->folder, path->file);
    if (fstatat(to->folder_fd, to->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISLNK(st.st_mode))
        r = locate_behind_link(store, to);
    if (r == 0 && fstatat(to->folder_fd, to->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        to->mode = st.st_mode & 07777;
    return r;
}

/* Under the lock, a temporary that is there already was left by a crash. */
static int write_temporary(struct pass_store *store, struct destination *to, const struct secbuf *message)
{
    int r = file_write_temporary(to->folder_fd, store->temporary, to->mode, message->data, message->size);

    if (r != -EEXIST || !store->has_lock)
        return r;
    if (unlinkat(to->folder_fd, store->temporary, 0) < 0)
        return -errno;
    return file_write_temporary(to->folder_fd, store->temporary, to->mode, message->data, message->size);
}

static int sync_parent(int folder_fd, char *name, char *slash)
{
    CLEANUP_CLOSE int fd = -1;

    if (slash)
        *slash = '\0';
    fd = file_open_folder(folder_fd, slash ? name : ".");
    if (slash)
        *slash = '/';
    return fd < 0 ? fd : file_sync_folder(fd);
}

/* Makes the folders that name's parts lie in, each synced into its parent. */
static int make_parents(int folder_fd, char *name)
{
    char *parent_slash = NULL;

    for (char *slash = strchr(name, '/'); slash; parent_slash = slash, slash = strchr(slash + 1, '/')) {
        int r;

        *slash = '\0';
        r = mkdirat(folder_fd, name, 0777) < 0 ? -errno : 0;
        *slash = '/';
        if (r == -EEXIST)
            continue;
        if (r == 0)
            r = sync_parent(folder_fd, name, parent_slash);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Removes parents that are empty, the innermost first. */
static void remove_empty_parents(int folder_fd, char *name)
{
    for (char *slash = strrchr(name, '/'); slash; slash = strrchr(name, '/')) {
        *slash = '\0';
        if (unlinkat(folder_fd, name, AT_REMOVEDIR) < 0)
            return;
    }
}

static int publish(struct pass_store *store, struct destination *to)
{
    int r = to->is_behind_link ? 0 : make_parents(to->folder_fd, to->name);

    if (r < 0)
        return r;
    if (renameat(to->folder_fd, store->temporary, to->folder_fd, to->name) < 0)
        return -errno;
    r = sync_parent(to->folder_fd, to->name, strrchr(to->name, '/'));
    /* The entry is in place; only that it will survive a power failure is not certain. */
    return r;
}

static int write_entry(struct pass_store *store, const struct pass_path *path, const struct secbuf *message)
{
    CLEANUP(destination_done) struct destination to = {.folder_fd = -1};
    int r = locate(store, path, &to);

    if (r == 0)
        r = write_temporary(store, &to, message);
    if (r < 0)
        return r;
    r = publish(store, &to);
    if (r < 0) {
        unlinkat(to.folder_fd, store->temporary, 0);
        if (!to.is_behind_link)
            remove_empty_parents(to.folder_fd, to.name);
    }
    return r;
}

int pass_insert(struct pass_store *store, const struct pass_path *path, const struct secbuf *message,
                struct pass_changes *changes, struct error *err)
{
    int r = pass_store_open_folder(store, true, err);

    if (r < 0)
        return r;
    r = write_entry(store, path, message);
    if (r < 0) {
        unlinkat(store->root_fd, PASS_FOLDER, AT_REMOVEDIR); /* goes only if it is empty */
        return error_set_errno(err, -r, "cannot write %s/" PASS_FOLDER "/%s/%s", store->root, path->folder,
                               path->file);
    }
    r = pass_changes_add(changes, false, path->folder, path->file);
    if (r < 0)
        return error_set_oom(err);
    return pass_remove_others(store, path, changes, err);
}
