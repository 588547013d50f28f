/*
 * Removes entries: all entries of a server at a logout, and those of its former users after a
 * login.
 */
#include "helper/pass/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/directory-names.h"
#include "common/file.h"

enum { DEEPEST = 64 };

struct removal {
    const struct pass_path *path;
    struct pass_changes *changes; /* NULL: they are not listed one by one */
    const char *kept;             /* the one file to keep; NULL: everything is removed */
    char file[sizeof(((struct pass_path *)0)->file)];
    int depth;
};

static int remove_below(struct removal *removal, int fd, size_t used);

static int remove_file(struct removal *removal, int fd, const char *name)
{
    if (removal->kept && (!pass_path_is_entry(name) || strcmp(removal->file, removal->kept) == 0))
        return 0;
    if (unlinkat(fd, name, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!removal->changes)
        return 0;
    return pass_changes_add(removal->changes, true, removal->path->directory, removal->file);
}

static int remove_subdirectory(struct removal *removal, int fd, const char *name, int sub_fd,
                               size_t used)
{
    int r;

    if (removal->kept && strcmp(name, ".git") == 0)
        return 0;
    if (removal->depth == DEEPEST)
        return -ELOOP;
    removal->file[used] = '/';
    removal->depth++;
    r = remove_below(removal, sub_fd, used + 1);
    removal->depth--;
    if (r == 0 && unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST &&
        errno != ENOENT)
        r = -errno;
    return r;
}

/* Removes the contents of the directory open at fd; file[0..used) is its path. */
static int remove_below(struct removal *removal, int fd, size_t used)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    int r = directory_names_read(fd, &names);

    for (size_t i = 0; r == 0 && i < names.count; i++) {
        CLEANUP_CLOSE int sub_fd = -1;
        const char *name = names.names[i]->text;
        size_t length = strlen(name);

        if (length + 2 > sizeof(removal->file) - used) {
            r = removal->kept ? 0 : -ENAMETOOLONG; /* too long for an entry of ours */
            continue;
        }
        memcpy(removal->file + used, name, length + 1);
        sub_fd = file_open_real_directory(fd, name);
        if (sub_fd >= 0)
            r = remove_subdirectory(removal, fd, name, sub_fd, used + length);
        else if (sub_fd == -ENOTDIR || sub_fd == -ELOOP)
            r = remove_file(removal, fd, name);
        else if (sub_fd != -ENOENT)
            r = sub_fd;
    }
    return r;
}

static int fail(struct error *err, int r, const struct pass_store *store,
                const struct pass_path *path)
{
    return error_set_errno(err, -r, "cannot remove %s/" PASS_DIRECTORY "/%s", store->root,
                           path->directory);
}

int pass_remove_others(struct pass_store *store, const struct pass_path *path,
                       struct pass_changes *changes, struct error *err)
{
    struct removal removal = {.path = path, .changes = changes, .kept = path->file};
    CLEANUP_CLOSE int fd = file_open_real_directory(store->directory_fd, path->directory);
    size_t count = changes->count;
    int r = fd < 0 ? fd : remove_below(&removal, fd, 0);

    if (r == 0 && changes->count > count)
        r = file_sync_directory(fd);
    return r < 0 ? fail(err, r, store, path) : 0;
}

/* If the directory is a link, only the link is removed. */
static int remove_directory(int parent_fd, const char *name)
{
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    return errno == ENOTDIR && unlinkat(parent_fd, name, 0) == 0 ? 0 : -errno;
}

int pass_remove_server(struct pass_store *store, const struct pass_path *path,
                       struct pass_changes *changes, struct error *err)
{
    struct removal removal = {.path = path};
    CLEANUP_CLOSE int fd = store->directory_fd < 0
                               ? -ENOENT
                               : file_open_real_directory(store->directory_fd, path->directory);
    struct stat st;
    int r = fd;

    if (fd == -ENOENT) /* another erase came first */
        return 0;
    if (fd == -ENOTDIR || fd == -ELOOP) {
        if (fstatat(store->directory_fd, path->directory, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISLNK(st.st_mode))
            return 0; /* a file there is not ours */
        r = 0;
    } else if (fd >= 0) {
        r = remove_below(&removal, fd, 0);
    }
    if (r == 0)
        r = remove_directory(store->directory_fd, path->directory);
    if (r == 0)
        r = file_sync_directory(store->directory_fd);
    if (r == 0 && unlinkat(store->root_fd, PASS_DIRECTORY, AT_REMOVEDIR) == 0)
        r = file_sync_directory(store->root_fd);
    if (r < 0)
        return fail(err, r, store, path);
    return pass_changes_add(changes, true, path->directory, NULL) < 0 ? error_set_oom(err) : 0;
}
