#include "registry/cli/init-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/folder-names.h"
#include "common/random.h"

/* The absolute path of what need not be there, in a folder that is. */
static int find_path(const char *path, char **ret, struct error *err)
{
    CLEANUP_FREE char *copy = strdup(path), *parent = NULL;
    size_t size = copy ? strlen(copy) : 0;
    const char *name;
    char *slash;

    while (size > 1 && copy[size - 1] == '/')
        copy[--size] = '\0';
    slash = copy ? strrchr(copy, '/') : NULL;
    name = slash ? slash + 1 : copy;
    if (!copy || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(err, EINVAL, "\"%s\" does not name a folder that could be made", path);
    if (slash)
        *slash = '\0';
    parent = realpath(slash ? (*copy ? copy : "/") : ".", NULL);
    if (!parent)
        return error_set_errno(err, errno, "the folder that %s is to be in", path);
    return asprintf(ret, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0 ? error_set_oom(err) : 0;
}

static int check_free(const char *path, struct error *err)
{
    CLEANUP(folder_names_done) struct folder_names names = {0};
    CLEANUP_CLOSE int fd = file_open_folder(AT_FDCWD, path);

    if (fd == -ENOENT)
        return 0;
    if (fd < 0 || folder_names_read(fd, &names) < 0)
        return error_set_errno(err, fd < 0 ? -fd : EIO, "%s is there and is no folder of ours", path);
    if (names.count > 0)
        return error_set(err, EEXIST, "%s is not empty (there is %s in it); nothing was changed", path,
                         names.names[0]->text);
    return 0;
}

int init_folder_begin(const char *path, struct init_folder *ret, struct error *err)
{
    CLEANUP(init_folder_done) struct init_folder folder = INIT_FOLDER_NONE;
    char uuid[RANDOM_UUID_SIZE];
    int r = find_path(path, &folder.path, err);

    if (r == 0)
        r = check_free(folder.path, err);
    if (r < 0)
        return r;
    random_uuid(uuid);
    if (asprintf(&folder.temporary, "%s.%s.tmp", folder.path, uuid) < 0)
        return error_set_oom(err);
    if (mkdir(folder.temporary, 0700) < 0) {
        r = error_set_errno(err, errno, "cannot make a folder beside %s", folder.path);
        free(folder.temporary);
        folder.temporary = NULL;
        return r;
    }
    folder.fd = file_open_folder(AT_FDCWD, folder.temporary);
    if (folder.fd < 0)
        return error_set_errno(err, -folder.fd, "cannot open %s", folder.temporary);
    *ret = folder;
    folder = (struct init_folder)INIT_FOLDER_NONE;
    return 0;
}

int init_folder_add_file(struct init_folder *folder, const char *name, mode_t mode, const void *data, size_t size,
                         struct error *err)
{
    int r = file_write_temporary(folder->fd, name, mode, data, size);

    return r < 0 ? error_set_errno(err, -r, "cannot write %s/%s", folder->temporary, name) : 0;
}

int init_folder_add_folder(struct init_folder *folder, const char *name, mode_t mode, struct error *err)
{
    if (mkdirat(folder->fd, name, 0700) < 0 || fchmodat(folder->fd, name, mode, 0) < 0)
        return error_set_errno(err, errno, "cannot make %s/%s", folder->temporary, name);
    return 0;
}

static int sync_parent(const char *path)
{
    CLEANUP_FREE char *parent = strdup(path);
    CLEANUP_CLOSE int fd = -1;

    if (!parent)
        return -ENOMEM;
    *strrchr(parent, '/') = '\0';
    fd = file_open_folder(AT_FDCWD, *parent ? parent : "/");
    return fd < 0 ? fd : file_sync_folder(fd);
}

int init_folder_finish(struct init_folder *folder, struct error *err)
{
    int r = file_sync_folder(folder->fd);

    /* Over an empty folder, too; over one that somebody has filled meanwhile it fails. */
    if (r == 0 && rename(folder->temporary, folder->path) < 0)
        r = -errno;
    if (r < 0)
        return error_set_errno(err, -r, "cannot make %s", folder->path);
    free(folder->temporary);
    folder->temporary = NULL;
    r = sync_parent(folder->path);
    return r < 0 ? error_set_errno(err, -r, "%s was made, but may not survive a power failure", folder->path) : 0;
}

static void remove_all(int fd)
{
    CLEANUP(folder_names_done) struct folder_names names = {0};
    CLEANUP_CLOSE int list_fd = file_open_folder(fd, ".");

    if (list_fd < 0 || folder_names_read(list_fd, &names) < 0)
        return;
    for (size_t i = 0; i < names.count; i++)
        if (unlinkat(fd, names.names[i]->text, 0) < 0)
            unlinkat(fd, names.names[i]->text, AT_REMOVEDIR);
}

void init_folder_done(struct init_folder *folder)
{
    if (folder->temporary) {
        if (folder->fd >= 0)
            remove_all(folder->fd);
        rmdir(folder->temporary);
    }
    if (folder->fd >= 0)
        close(folder->fd);
    free(folder->temporary);
    free(folder->path);
    *folder = (struct init_folder)INIT_FOLDER_NONE;
}
