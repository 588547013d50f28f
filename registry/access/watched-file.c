/*
 * Apache's htpasswd truncates the file and then writes it again in place. A reader between these
 * two steps finds no users and would refuse everybody. So a file that has just changed is read
 * again after a moment. On a busy machine the writer may need longer, so a file that is empty, or
 * whose last line has no newline, counts as unfinished for two seconds.
 */
#include "registry/access/watched-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"

enum {
    SETTLED_AFTER_MS = 20, /* more than the granularity of the kernel's clock for files */
    MOST_TRIES = 5,
    FRESH_MS = 2000,
    UNFINISHED_MS = 2000,
};

static void fill_stamp(const struct stat *st, struct file_stamp *ret)
{
    *ret = (struct file_stamp){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = st->st_size,
        .modified = st->st_mtim,
        .changed = st->st_ctim,
    };
}

void file_stamp_take(const char *path, struct file_stamp *ret)
{
    struct stat st;

    if (stat(path, &st) < 0)
        *ret = (struct file_stamp){.error = errno};
    else
        fill_stamp(&st, ret);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_stamp_is_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->error == b->error && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && is_same_time(&a->modified, &b->modified) &&
           is_same_time(&a->changed, &b->changed);
}

/*
 * Whether the inode changed less than ms ago, or will change in less than ms by a wrong clock. The
 * modification time does not matter, because programs can set it.
 */
static bool is_younger(const struct file_stamp *stamp, int64_t ms)
{
    struct timespec now;
    int64_t age_ms;

    clock_gettime(CLOCK_REALTIME, &now);
    age_ms = ((int64_t)now.tv_sec - stamp->changed.tv_sec) * 1000 +
             (now.tv_nsec - stamp->changed.tv_nsec) / 1000000;
    return age_ms < ms && age_ms > -ms;
}

bool file_stamp_is_fresh(const struct file_stamp *stamp)
{
    bool may_be_coarse = stamp->modified.tv_nsec == 0 || stamp->changed.tv_nsec == 0;

    return stamp->error == 0 && may_be_coarse && is_younger(stamp, FRESH_MS);
}

static bool ends_within_a_line(const struct file_content *content)
{
    return content->size == 0 || content->text[content->size - 1] != '\n';
}

/* Returns -EAGAIN if the file changed while it was read. */
static int read_once(int fd, struct file_content *ret)
{
    struct stat before, after;
    CLEANUP_FREE char *text = NULL;
    size_t size;
    int r;

    if (fstat(fd, &before) < 0)
        return -errno;
    if (!S_ISREG(before.st_mode))
        return S_ISDIR(before.st_mode) ? -EISDIR : -EINVAL;
    if (before.st_size > WATCHED_FILE_MAX)
        return -EFBIG;
    r = file_read_all(fd, (size_t)before.st_size, &text, &size);
    if (r < 0)
        return r == -EFBIG ? -EAGAIN : r;
    if (fstat(fd, &after) < 0)
        return -errno;
    fill_stamp(&after, &ret->stamp);
    if (size != (size_t)after.st_size || !is_same_time(&before.st_mtim, &after.st_mtim))
        return -EAGAIN;
    ret->is_public = after.st_mode & S_IROTH;
    ret->is_open = after.st_mode & S_IWOTH;
    ret->text = steal_ptr(&text);
    ret->size = size;
    ret->is_unfinished = ends_within_a_line(ret) && is_younger(&ret->stamp, UNFINISHED_MS);
    return 0;
}

static int open_and_read(const char *path, struct file_content *ret)
{
    /* O_NONBLOCK: opening a named pipe must not block; it is refused later. */
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return fd < 0 ? -errno : read_once(fd, ret);
}

static void wait_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = SETTLED_AFTER_MS * 1000000L};

    nanosleep(&moment, NULL);
}

static int read_settled(const char *path, struct file_content *ret)
{
    int r = open_and_read(path, ret);

    for (int try = 1; try < MOST_TRIES; try++) {
        if (r != -EAGAIN && (r < 0 || !is_younger(&ret->stamp, SETTLED_AFTER_MS)))
            return r;
        wait_a_moment();
        if (r == 0)
            free(steal_ptr(&ret->text));
        r = open_and_read(path, ret);
    }
    return r;
}

void file_content_done(struct file_content *content)
{
    if (content->text)
        explicit_bzero(content->text, content->size);
    free(content->text);
    *content = (struct file_content){0};
}

int watched_file_read(const char *path, struct file_content *ret, struct error *err)
{
    struct file_content content = {0};
    int r = read_settled(path, &content);

    switch (-r) {
    case 0:
        *ret = content;
        return 0;
    case EFBIG:
        return error_set(err, EFBIG, "%s is larger than %d MiB", path, WATCHED_FILE_MAX >> 20);
    case EINVAL:
        return error_set(err, EINVAL, "%s is not a regular file", path);
    default:
        return error_set_errno(err, -r, "cannot read %s", path);
    }
}
