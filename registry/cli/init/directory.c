#include "registry/cli/init/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "common/random.h"

/* Finds the absolute path of a directory that need not exist; its parent must exist. */
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
        return error_set(err, EINVAL, "\"%s\" cannot be the name of a new directory", path);
    if (slash)
        *slash = '\0';
    parent = realpath(slash ? (*copy ? copy : "/") : ".", NULL);
    if (!parent)
        return error_set_errno(err, errno, "cannot find the parent directory of %s", path);
    return asprintf(ret, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0
               ? error_set_oom(err)
               : 0;
}

static int check_is_empty(const char *path, struct error *err)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int fd = file_open_directory(AT_FDCWD, path);

    if (fd == -ENOENT)
        return 0;
    if (fd < 0 || directory_names_read(fd, &names) < 0)
        return error_set_errno(err, fd < 0 ? -fd : EIO,
                               "%s exists and is not a directory that can be used", path);
    if (names.count > 0)
        return error_set(err, EEXIST, "%s is not empty (it contains %s); nothing was changed", path,
                         names.names[0]->text);
    return 0;
}

int init_directory_begin(const char *path, struct init_directory *ret, struct error *err)
{
    CLEANUP(init_directory_done) struct init_directory directory = INIT_DIRECTORY_NONE;
    char uuid[RANDOM_UUID_SIZE];
    int r = find_path(path, &directory.path, err);

    if (r == 0)
        r = check_is_empty(directory.path, err);
    if (r < 0)
        return r;
    random_uuid(uuid);
    if (asprintf(&directory.temporary, "%s.%s.tmp", directory.path, uuid) < 0)
        return error_set_oom(err);
    if (mkdir(directory.temporary, 0700) < 0) {
        r = error_set_errno(err, errno, "cannot create a directory beside %s", directory.path);
        free(directory.temporary);
        directory.temporary = NULL;
        return r;
    }
    directory.fd = file_open_directory(AT_FDCWD, directory.temporary);
    if (directory.fd < 0)
        return error_set_errno(err, -directory.fd, "cannot open %s", directory.temporary);
    *ret = directory;
    directory = (struct init_directory)INIT_DIRECTORY_NONE;
    return 0;
}

int init_directory_add_file(struct init_directory *directory, const char *name, mode_t mode,
                            const void *data, size_t size, struct error *err)
{
    int r = file_write_temporary(directory->fd, name, mode, data, size);

    return r < 0 ? error_set_errno(err, -r, "cannot write %s/%s", directory->temporary, name) : 0;
}

int init_directory_add_directory(struct init_directory *directory, const char *name, mode_t mode,
                                 struct error *err)
{
    if (mkdirat(directory->fd, name, 0700) < 0 || fchmodat(directory->fd, name, mode, 0) < 0)
        return error_set_errno(err, errno, "cannot create %s/%s", directory->temporary, name);
    return 0;
}

static int sync_parent(const char *path)
{
    CLEANUP_FREE char *parent = strdup(path);
    CLEANUP_CLOSE int fd = -1;

    if (!parent)
        return -ENOMEM;
    *strrchr(parent, '/') = '\0';
    fd = file_open_directory(AT_FDCWD, *parent ? parent : "/");
    return fd < 0 ? fd : file_sync_directory(fd);
}

/* Syncs the directory at fd and the directories in it. */
static int sync_directories(int fd)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int list_fd = file_open_directory(fd, ".");
    int r = list_fd < 0 ? list_fd : directory_names_read(list_fd, &names);

    for (size_t i = 0; r == 0 && i < names.count; i++) {
        CLEANUP_CLOSE int below = file_open_real_directory(fd, names.names[i]->text);

        if (below >= 0)
            r = file_sync_directory(below);
    }
    return r < 0 ? r : file_sync_directory(fd);
}

int init_directory_finish(struct init_directory *directory, struct error *err)
{
    int r = fchmod(directory->fd, 0755) < 0 ? -errno : sync_directories(directory->fd);

    /* rename() also replaces an empty directory. It fails if the directory is no longer empty. */
    if (r == 0 && rename(directory->temporary, directory->path) < 0)
        r = -errno;
    if (r < 0)
        return error_set_errno(err, -r, "cannot create %s", directory->path);
    free(directory->temporary);
    directory->temporary = NULL;
    r = sync_parent(directory->path);
    return r < 0 ? error_set_errno(err, -r, "%s was created, but may not survive a power failure",
                                   directory->path)
                 : 0;
}

/* Removes the files, and the directories with their files. Directories are only one level deep. */
static void remove_content(int fd, bool is_top)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int list_fd = file_open_directory(fd, ".");

    if (list_fd < 0 || directory_names_read(list_fd, &names) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i]->text;
        CLEANUP_CLOSE int below = is_top ? file_open_real_directory(fd, name) : -1;

        if (below >= 0)
            remove_content(below, false);
        unlinkat(fd, name, below >= 0 ? AT_REMOVEDIR : 0);
    }
}

void init_directory_done(struct init_directory *directory)
{
    if (directory->temporary) {
        if (directory->fd >= 0)
            remove_content(directory->fd, true);
        rmdir(directory->temporary);
    }
    if (directory->fd >= 0)
        close(directory->fd);
    free(directory->temporary);
    free(directory->path);
    *directory = (struct init_directory)INIT_DIRECTORY_NONE;
}
