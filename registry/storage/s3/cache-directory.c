#include "registry/storage/s3/cache-directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTING "storage.cache.directory"
#define FILLING "filling-"
#define LOCK "lock"

enum { HEX_DIGITS = 64, VERIFY_SIZE = 256 << 10, FIRST_ROOM = 256 };

/* --- opening --------------------------------------------------------------------------------- */

static int check_directory(const char *path, int fd, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set_errno(err, errno, SETTING ": cannot look at %s", path);
    if (st.st_uid != geteuid())
        return error_set(err, EPERM,
                         SETTING ": %s belongs to user %u, not to user %u, who runs the server: "
                                 "change its owner, or name another directory",
                         path, (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, EPERM,
                         SETTING ": other users may write to %s: run chmod 700 %s", path, path);
    return 0;
}

int cache_directory_open(const char *path, int *ret, struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    int r;

    if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
        return error_set_errno(err, errno, SETTING ": cannot create %s", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, SETTING ": cannot open %s", path);
    r = check_directory(path, fd, err);
    if (r == 0)
        *ret = steal_fd(&fd);
    return r;
}

int cache_directory_lock(int directory, int *ret)
{
    CLEANUP_CLOSE int fd =
        openat(directory, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    *ret = steal_fd(&fd);
    return 0;
}

/* --- scanning -------------------------------------------------------------------------------- */

struct found {
    char hex[HEX_DIGITS + 1];
    uint64_t size;
    struct timespec used;
};

struct found_list {
    struct found *items;
    size_t count, room;
};

static void found_list_done(struct found_list *list)
{
    free(list->items);
}

static bool is_hex(const char *name)
{
    return strspn(name, "0123456789abcdef") == HEX_DIGITS && name[HEX_DIGITS] == '\0';
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static int add_found(struct found_list *list, const char *name, const struct stat *st)
{
    struct found *found;

    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : FIRST_ROOM;
        struct found *grown = reallocarray(list->items, room, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        list->items = grown;
        list->room = room;
    }
    found = &list->items[list->count++];
    *found = (struct found){.size = (uint64_t)st->st_size};
    memcpy(found->hex, name, sizeof(found->hex));
    /* Most file systems update the time of access at least once a day. */
    found->used = is_later(&st->st_atim, &st->st_mtim) ? st->st_atim : st->st_mtim;
    return 0;
}

static int look_at(int directory, const char *name, struct found_list *list)
{
    struct stat st;

    if (strncmp(name, FILLING, strlen(FILLING)) == 0 && is_hex(name + strlen(FILLING)))
        return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
    if (!is_hex(name) || fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return 0;
    return add_found(list, name, &st);
}

static int read_names(int directory, struct found_list *list)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!names) {
        r = -errno;
        if (fd >= 0)
            close(fd);
        return r;
    }
    for (errno = 0; r == 0 && (entry = readdir(names)); errno = 0)
        r = look_at(directory, entry->d_name, list);
    if (r == 0)
        r = -errno;
    closedir(names);
    return r;
}

/* The one that was used last comes first. */
static int compare_found(const void *a, const void *b)
{
    const struct found *left = a, *right = b;

    return is_later(&right->used, &left->used) - is_later(&left->used, &right->used);
}

static int add_entry(struct cache_index *index, const struct found *found)
{
    struct cache_entry *entry = cache_index_add(index, found->hex, found->size);

    if (!entry)
        return -ENOMEM;
    cache_index_settle(index, entry);
    cache_index_drop(index, entry);
    return 0;
}

int cache_directory_scan(int directory, struct cache_index *index)
{
    CLEANUP(found_list_done) struct found_list list = {0};
    size_t fitting = 0;
    uint64_t used = 0;
    int r = read_names(directory, &list);

    if (r < 0)
        return r;
    if (list.count > 0)
        qsort(list.items, list.count, sizeof(*list.items), compare_found);
    while (fitting < list.count && fitting < CACHE_ENTRIES_MAX) {
        used += cache_room_of(list.items[fitting].size);
        if (used > index->max)
            break;
        fitting++;
    }
    for (size_t i = fitting; i < list.count; i++)
        if (unlinkat(directory, list.items[i].hex, 0) < 0)
            return -errno;
    for (size_t i = fitting; r == 0 && i > 0; i--) /* each becomes the newest */
        r = add_entry(index, &list.items[i - 1]);
    return r;
}

/* --- files ----------------------------------------------------------------------------------- */

void cache_format_filling(const char *hex, char ret_name[CACHE_NAME_SIZE])
{
    snprintf(ret_name, CACHE_NAME_SIZE, FILLING "%s", hex);
}

void cache_stamp_of(const struct stat *st, struct cache_stamp *ret)
{
    *ret = (struct cache_stamp){.inode = st->st_ino,
                                .size = (uint64_t)st->st_size,
                                .changed_s = st->st_ctim.tv_sec,
                                .changed_ns = st->st_ctim.tv_nsec};
}

bool cache_stamp_is_same(const struct cache_stamp *a, const struct cache_stamp *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed_s == b->changed_s &&
           a->changed_ns == b->changed_ns;
}

int cache_file_open(int directory, const char *name, uint64_t size, struct cache_stamp *ret_stamp)
{
    CLEANUP_CLOSE int fd =
        openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return -EBADMSG;
    cache_stamp_of(&st, ret_stamp);
    return steal_fd(&fd);
}

int cache_file_verify(int fd, const char *hex, uint64_t size, const bool *is_ending)
{
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;
    CLEANUP_FREE char *buffer = malloc(VERIFY_SIZE);
    struct digest digest;

    if (!buffer || hasher_new(DIGEST_SHA256, &hasher) < 0)
        return -ENOMEM;
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(fd, buffer, VERIFY_SIZE, (off_t)at);

        if (__atomic_load_n(is_ending, __ATOMIC_RELAXED))
            return -ECANCELED;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EBADMSG;
        hasher_write(hasher, buffer, (size_t)n);
        at += (uint64_t)n;
    }
    hasher_get(hasher, &digest);
    return strcmp(digest.hex, hex) == 0 ? 0 : -EBADMSG;
}
