/*
 * Reads objects and lists prefixes. Small objects and the names in large directories are cached
 * until their file or directory changes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "registry/storage/filesystem/content-cache.h"
#include "registry/storage/filesystem/directory-cache.h"
#include "registry/storage/filesystem/filesystem-private.h"

struct filesystem_reader {
    struct storage_reader reader;
    int fd;
};

int filesystem_describe(int fd, struct storage_object *ret)
{
    struct look look;
    int r = look_at(fd, "", AT_EMPTY_PATH, &look);

    if (r < 0)
        return r;
    look_describe(&look, ret);
    return look_check_regular(&look);
}

static int walk_and_look(const struct filesystem *filesystem, const char *key, struct look *ret)
{
    CLEANUP_CLOSE int fd = beneath_open(filesystem->root_fd, key, O_PATH, 0);
    int r = fd < 0 ? fd : look_at(fd, "", AT_EMPTY_PATH, ret);

    if (r == 0)
        r = look_check_regular(ret);
    if (r == 0 && filesystem->known)
        known_files_add(filesystem->known, key, ret);
    return r;
}

int filesystem_look(const struct filesystem *filesystem, const char *key, struct look *ret)
{
    struct look look;

    if (filesystem->known && look_at(filesystem->root_fd, key, AT_SYMLINK_NOFOLLOW, &look) == 0 &&
        S_ISREG(look.mode) && known_files_has(filesystem->known, key, &look)) {
        *ret = look;
        return 0;
    }
    return walk_and_look(filesystem, key, ret);
}

int filesystem_head(struct storage *storage, const char *key, enum storage_waiting waiting,
                    struct storage_object *ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    struct look look;
    int r = filesystem_look(filesystem, key, &look);

    (void)waiting;
    if (r < 0)
        return filesystem_is_missing(-r) ? STORAGE_NOT_FOUND
                                         : filesystem_fail(filesystem, -r, "look at", key, err);
    look_describe(&look, ret);
    return 0;
}

/*
 * The stamp proves that the plain path leads to the same file that was opened without following
 * links and read before.
 */
static bool find_cached(const struct filesystem *filesystem, struct content_cache *cache,
                        const char *key, size_t limit, char **ret_bytes, size_t *ret_size)
{
    struct stat st;

    return fstatat(filesystem->root_fd, key, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && (uint64_t)st.st_size <= limit &&
           content_cache_get(cache, key, &st, ret_bytes, ret_size) == 0;
}

static int read_content(const struct filesystem *filesystem, struct content_cache *cache,
                        const char *key, size_t limit, char **ret_bytes, size_t *ret_size)
{
    struct stat st;
    CLEANUP_CLOSE int fd = beneath_open_regular(filesystem->root_fd, key, O_RDONLY, &st);
    int r;

    if (fd < 0)
        return fd;
    if ((uint64_t)st.st_size > limit)
        return -EFBIG;
    r = file_read_all(fd, (size_t)st.st_size, ret_bytes, ret_size);
    if (r == 0 && cache)
        content_cache_put(cache, key, &st, *ret_bytes, *ret_size);
    return r;
}

static int get_content(const struct filesystem *filesystem, const char *key, size_t limit,
                       char **ret_bytes, size_t *ret_size)
{
    struct content_cache *cache = filesystem_is_private(key) ? NULL : filesystem->contents;

    if (cache && find_cached(filesystem, cache, key, limit, ret_bytes, ret_size))
        return 0;
    return read_content(filesystem, cache, key, limit, ret_bytes, ret_size);
}

int filesystem_get(struct storage *storage, const char *key, size_t limit,
                   enum storage_waiting waiting, char **ret_bytes, size_t *ret_size,
                   struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    int r = get_content(filesystem, key, limit, ret_bytes, ret_size);

    (void)waiting;
    if (r < 0 && filesystem_is_missing(-r))
        return STORAGE_NOT_FOUND;
    return r < 0 ? filesystem_fail(filesystem, -r, "read", key, err) : 0;
}

int filesystem_open_reader(struct storage *storage, const char *key, enum storage_waiting waiting,
                           struct storage_reader **ret, struct storage_object *ret_object,
                           struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    CLEANUP_CLOSE int fd = beneath_open(filesystem->root_fd, key, O_RDONLY | O_NONBLOCK, 0);
    int r = fd < 0 ? fd : filesystem_describe(fd, ret_object);
    struct filesystem_reader *reader;

    (void)waiting;
    if (r < 0)
        return filesystem_is_missing(-r) ? STORAGE_NOT_FOUND
                                         : filesystem_fail(filesystem, -r, "read", key, err);
    reader = malloc(sizeof(*reader));
    if (!reader)
        return error_set_oom(err);
    reader->reader.functions = storage->functions;
    reader->fd = steal_fd(&fd);
    *ret = &reader->reader;
    return 0;
}

ssize_t filesystem_pread(int fd, uint64_t offset, void *ret_data, size_t size)
{
    ssize_t n;

    do
        n = pread(fd, ret_data, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

void filesystem_reader_wait(struct storage_reader *reader)
{
    (void)reader;
}

ssize_t filesystem_reader_read(struct storage_reader *base, uint64_t offset, void *ret_data,
                               size_t size, enum storage_waiting waiting)
{
    (void)waiting; /* for a disk is not waiting */
    return filesystem_pread(((const struct filesystem_reader *)base)->fd, offset, ret_data, size);
}

int filesystem_reader_get_fd(struct storage_reader *base)
{
    return ((struct filesystem_reader *)base)->fd;
}

void filesystem_reader_close(struct storage_reader *base)
{
    struct filesystem_reader *reader = (struct filesystem_reader *)base;

    close(reader->fd);
    free(reader);
}

/* --- lists ------------------------------------------------------------------------------- */

/* Some file systems do not return the type with the name. */
static bool is_directory(int directory_fd, const struct directory_name *name)
{
    struct stat st;

    if (name->type != DT_UNKNOWN)
        return name->type == DT_DIR;
    return fstatat(directory_fd, name->text, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* All names of a directory, sorted. 0 or -errno. */
static int read_names(int directory_fd, struct storage_list *ret)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    int r = directory_names_read(directory_fd, &names);

    for (size_t i = 0; r == 0 && i < names.count; i++) {
        const struct directory_name *name = names.names[i];

        r = storage_list_add(ret, name->text, strlen(name->text), is_directory(directory_fd, name));
    }
    return r;
}

/*
 * Caches the names that it reads. The stamp is taken before reading, so that a change during it is
 * noticed.
 */
static int list_page(const struct filesystem *filesystem, int fd, const char *key,
                     const char *after, size_t limit, struct storage_list *ret)
{
    CLEANUP(storage_list_done) struct storage_list names = {0};
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return -errno;
    r = filesystem->directories
            ? directory_cache_get(filesystem->directories, key, &st, after, limit, ret)
            : -ENOENT;
    if (r != -ENOENT)
        return r;
    r = read_names(fd, &names);
    if (r < 0)
        return r;
    if (filesystem->directories)
        directory_cache_put(filesystem->directories, key, &st, &names);
    storage_list_cut(&names, after, limit);
    *ret = names;
    names = (struct storage_list){0};
    return 0;
}

/* The directory of temporary files is not a prefix. */
static void hide_temporary(struct storage_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i]->name, FILESYSTEM_TEMPORARY) != 0)
            continue;
        free(list->entries[i]);
        memmove(&list->entries[i], &list->entries[i + 1],
                (--list->count - i) * sizeof(*list->entries));
        return;
    }
}

int filesystem_list(struct storage *storage, const char *prefix, const char *after, size_t limit,
                    struct storage_list *ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    CLEANUP_CLOSE int fd = beneath_open_directory(filesystem->root_fd, prefix);
    struct storage_list list = {0};
    int r = fd < 0 ? fd : list_page(filesystem, fd, prefix, after, limit, &list);

    if (r < 0 && !filesystem_is_missing(-r))
        return filesystem_fail(filesystem, -r, "read", prefix, err);
    if (!*prefix)
        hide_temporary(&list);
    *ret = list;
    return 0;
}
