/*
 * The driver of files: removal. A folder goes with what is in it in the order of names, which takes a
 * tag's "current" before its "index", as it has to be.
 */
#include "registry/storage/filesystem/filesystem-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/file.h"

/* What others remove or add at the same time is theirs. */
static bool is_meanwhile(int r)
{
    return r == -ENOENT || r == -ENOTEMPTY || r == -EEXIST;
}

static int remove_content(int folder_fd, const char *name)
{
    CLEANUP(folder_names_done) struct folder_names names = {0};
    CLEANUP_CLOSE int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : folder_names_read(fd, &names);

    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = filesystem_remove_tree(fd, names.names[i]->text);
    return r;
}

int filesystem_remove_tree(int folder_fd, const char *name)
{
    int r;

    if (unlinkat(folder_fd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return is_meanwhile(-errno) ? 0 : -errno;
    r = remove_content(folder_fd, name);
    if (r == 0 && unlinkat(folder_fd, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return is_meanwhile(r) ? 0 : r;
}

/* The folder that key lies in, and the name in it. */
struct place {
    char *folder;
    const char *name;
};

static int split(const char *key, struct place *ret)
{
    const char *slash = strrchr(key, '/');

    ret->name = slash ? slash + 1 : key;
    ret->folder = slash ? strndup(key, (size_t)(slash - key)) : strdup(".");
    return ret->folder ? 0 : -ENOMEM;
}

/* Keys of one folder, one after another, are removed together; *ret_used is how many that were. */
static int remove_some(const struct filesystem *filesystem, const char *const *keys, size_t count, size_t *ret_used)
{
    struct place place = {0};
    int r = split(keys[0], &place);
    CLEANUP_FREE char *folder = place.folder;
    CLEANUP_CLOSE int fd = -1;
    size_t size = folder ? strlen(folder) : 0, used = 0;

    if (r < 0)
        return r;
    fd = file_open_folder(filesystem->root_fd, folder);
    if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR)
        return fd;
    do {
        if (fd >= 0)
            r = filesystem_remove_tree(fd, keys[used] + (place.name - keys[0]));
        used++;
    } while (r == 0 && used < count && strncmp(keys[used], folder, size) == 0 && keys[used][size] == '/' &&
             !strchr(keys[used] + size + 1, '/'));
    *ret_used = used;
    return r < 0 || fd < 0 ? r : file_sync_folder(fd);
}

int filesystem_sync_parent(const struct filesystem *filesystem, const char *key)
{
    struct place place = {0};
    int r = split(key, &place);
    CLEANUP_FREE char *folder = place.folder;
    CLEANUP_CLOSE int fd = r < 0 ? r : file_open_folder(filesystem->root_fd, folder);

    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    return fd < 0 ? fd : file_sync_folder(fd);
}

int filesystem_remove(struct driver *driver, const char *const *keys, size_t count, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    size_t used;

    for (size_t i = 0; i < count; i += used) {
        int r = remove_some(filesystem, keys + i, count - i, &used);

        if (r < 0)
            return filesystem_fail(filesystem, -r, "remove", keys[i], err);
    }
    return 0;
}

static int clean_one(int fd, const char *name, int64_t before_s)
{
    struct stat st;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtim.tv_sec > before_s)
        return 0;
    return filesystem_remove_tree(fd, name);
}

int filesystem_clean(struct driver *driver, int64_t age_s, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP(folder_names_done) struct folder_names names = {0};
    CLEANUP_CLOSE int fd = file_open_folder(filesystem->root_fd, FILESYSTEM_TEMPORARY);
    /* The clock of files runs a little ahead of ours at times, and either may have been set back. */
    const int64_t before_s = age_s > 0 ? (int64_t)time(NULL) - age_s : INT64_MAX;
    int r;

    if (fd == -ENOENT)
        return 0;
    r = fd < 0 ? fd : folder_names_read(fd, &names);
    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = clean_one(fd, names.names[i]->text, before_s);
    return r < 0 ? filesystem_fail(filesystem, -r, "remove what is left in", FILESYSTEM_TEMPORARY, err) : 0;
}
