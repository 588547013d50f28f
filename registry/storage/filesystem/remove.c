/*
 * Removes objects. The contents of a directory are removed in the order of names, as the contract
 * requires: for example, a tag's "current" before its "index".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "registry/storage/filesystem/filesystem-private.h"

enum { PATIENCE_MS = 5000 };

/* Whether another process added or removed a file at the same time. */
static bool is_race(int r)
{
    return r == -ENOENT || r == -ENOTEMPTY || r == -EEXIST;
}

static int remove_content(int directory_fd, const char *name)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int fd =
        openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : directory_names_read(fd, &names);

    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = filesystem_remove_tree(fd, names.names[i]->text);
    return r;
}

int filesystem_remove_tree(int directory_fd, const char *name)
{
    int r;

    if (unlinkat(directory_fd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return is_race(-errno) ? 0 : -errno;
    r = remove_content(directory_fd, name);
    if (r == 0 && unlinkat(directory_fd, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return is_race(r) ? 0 : r;
}

static size_t parent_size(const char *key)
{
    return beneath_parent_size(key, strlen(key));
}

static bool is_prefix(const char *key)
{
    return *key && key[strlen(key) - 1] == '/';
}

static int remove_one(int directory_fd, const char *name)
{
    char copy[NAME_MAX + 1];

    if (!is_prefix(name))
        return unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT || errno == EISDIR ? 0
                                                                                          : -errno;
    if (strlen(name) > sizeof(copy))
        return -ENAMETOOLONG;
    snprintf(copy, sizeof(copy), "%.*s", (int)strlen(name) - 1, name);
    return filesystem_remove_tree(directory_fd, copy);
}

/*
 * Removes the first keys, up to the first one that is in another directory, and syncs their
 * directory once. *ret_used is their number.
 */
static int remove_some(const struct filesystem *filesystem, const char *const *keys, size_t count,
                       size_t *ret_used)
{
    const size_t size = parent_size(keys[0]);
    struct beneath_name name; /* of the first */
    CLEANUP_CLOSE int fd = beneath_open_parent(filesystem->root_fd, keys[0], &name);
    size_t used = 0;
    int r = 0;

    if (fd < 0 && !filesystem_is_missing(-fd))
        return fd;
    do {
        if (fd >= 0)
            r = remove_one(fd, keys[used] + size);
        used++;
    } while (r == 0 && used < count && parent_size(keys[used]) == size &&
             memcmp(keys[used], keys[0], size) == 0);
    *ret_used = used;
    return r < 0 || fd < 0 ? r : file_sync_directory(fd);
}

int filesystem_sync_parent(const struct filesystem *filesystem, const char *key)
{
    struct beneath_name name;
    CLEANUP_CLOSE int fd = beneath_open_parent(filesystem->root_fd, key, &name);

    if (fd < 0)
        return filesystem_is_missing(-fd) ? 0 : fd;
    return file_sync_directory(fd);
}

int filesystem_remove(struct storage *storage, const char *const *keys, size_t count,
                      struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    size_t used;

    for (size_t i = 0; i < count; i += used) {
        int r = remove_some(filesystem, keys + i, count - i, &used);

        if (r < 0)
            return filesystem_fail(filesystem, -r, "remove", keys[i], err);
    }
    return 0;
}

/* The guard prevents a replacement between the check of the version and the removal. */
static int remove_version(const struct filesystem *filesystem, const char *key,
                          const struct storage_version *version)
{
    CLEANUP_CLOSE int guard = filesystem_guard(filesystem, FILESYSTEM_GUARD_EXCLUSIVE, PATIENCE_MS);
    CLEANUP_CLOSE int directory = -1, fd = -1;
    struct storage_object object;
    struct beneath_name name;
    int r;

    if (guard < 0)
        return guard;
    directory = beneath_open_parent(filesystem->root_fd, key, &name);
    if (directory < 0)
        return directory;
    fd = openat(directory, name.text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    r = fd < 0 ? -errno : filesystem_describe(fd, &object);
    if (r < 0)
        return r;
    if (!storage_version_is_same(&object.version, version))
        return STORAGE_CONFLICT;
    return unlinkat(directory, name.text, 0) < 0 ? -errno : 0;
}

int filesystem_remove_if_unchanged(struct storage *storage, const char *key,
                                   const struct storage_version *version, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    int r = remove_version(filesystem, key, version);

    if (r == 0)
        r = filesystem_sync_parent(filesystem, key);
    if (r < 0 && filesystem_is_missing(-r))
        return STORAGE_NOT_FOUND;
    return r < 0 ? filesystem_fail(filesystem, -r, "remove", key, err) : r;
}

/* --- what crashes left ------------------------------------------------------------------- */

static int clean_one(int fd, const char *name, int64_t before_s)
{
    struct stat st;

    if (strcmp(name, FILESYSTEM_CLAIMS) == 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        st.st_mtim.tv_sec > before_s)
        return 0;
    return filesystem_remove_tree(fd, name);
}

int filesystem_clean_up(struct storage *storage, int64_t age_s, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int fd = beneath_open_directory(filesystem->root_fd, FILESYSTEM_TEMPORARY);
    /* The file system's clock may be slightly ahead of ours, and either may have been set back. */
    const int64_t before_s = age_s > 0 ? (int64_t)time(NULL) - age_s : INT64_MAX;
    int r;

    if (fd == -ENOENT)
        return 0;
    r = fd < 0 ? fd : directory_names_read(fd, &names);
    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = clean_one(fd, names.names[i]->text, before_s);
    return r < 0 ? filesystem_fail(filesystem, -r, "remove what crashes left in",
                                   FILESYSTEM_TEMPORARY, err)
                 : 0;
}
