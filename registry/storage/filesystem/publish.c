/*
 * The driver of files: the one way in which anything becomes visible. All contents are written, then
 * all are synced, then each takes its name, then the folders are synced: however many there are, a
 * journalling file system has to commit but twice.
 */
#include "registry/storage/filesystem/filesystem-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/random.h"

/* The collection of garbage keeps others out for much less than a millisecond at a time. */
enum { PATIENCE_MS = 5000 };

enum { MOST_TRIES = 100, NAME_SIZE = sizeof(FILESYSTEM_TEMPORARY) + RANDOM_UUID_SIZE };

/* A folder that must be synced: the first size bytes of key. */
struct touched {
    const char *key; /* borrowed from a change */
    size_t size;
    bool is_new_below; /* then key[size] starts the name of a folder made in it */
};

/* A change on its way. */
struct step {
    char temporary[NAME_SIZE]; /* "" where there is none, or no more */
    int fd;                    /* what is to be synced; -1 where nothing is */
    bool is_borrowed;          /* fd is the session's */
};

struct publication {
    struct filesystem *filesystem;
    const struct driver_change *changes;
    size_t count;
    struct step *steps;
    struct touched *touched;
    size_t touched_count;
    const char *failed_key;
};

static void publication_done(struct publication *publication)
{
    for (size_t i = 0; publication->steps && i < publication->count; i++) {
        struct step *step = &publication->steps[i];

        if (step->fd >= 0 && !step->is_borrowed)
            close(step->fd);
        if (*step->temporary)
            unlinkat(publication->filesystem->root_fd, step->temporary, 0);
    }
    free(publication->steps);
    free(publication->touched);
}

/* --- contents ----------------------------------------------------------------------------- */

static int make_temporary(const struct filesystem *filesystem, struct step *step)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    char uuid[RANDOM_UUID_SIZE];

    random_uuid(uuid);
    snprintf(step->temporary, sizeof(step->temporary), FILESYSTEM_TEMPORARY "/%s", uuid);
    step->fd = openat(filesystem->root_fd, step->temporary, flags, FILESYSTEM_FILE_MODE);
    if (step->fd < 0 && errno == ENOENT) {
        CLEANUP_CLOSE int folder = filesystem_open_temporary(filesystem);

        if (folder < 0)
            return folder;
        step->fd = openat(filesystem->root_fd, step->temporary, flags, FILESYSTEM_FILE_MODE);
    }
    if (step->fd >= 0)
        return 0;
    step->temporary[0] = '\0';
    return -errno;
}

static int write_step(const struct filesystem *filesystem, const struct driver_change *change, struct step *step)
{
    int r = 0;

    if (change->kind == DRIVER_PUT) {
        r = make_temporary(filesystem, step);
        if (r == 0)
            r = file_write_all(step->fd, change->data, change->size);
    } else if (change->kind == DRIVER_TAKE) {
        step->fd = ((struct filesystem_session *)change->session)->fd;
        step->is_borrowed = true;
        /* Its bytes may be old; it is wanted now. */
        r = futimens(step->fd, NULL) < 0 ? -errno : 0;
    }
    /* All are on their way to the disk before any is waited for. */
    if (r == 0 && step->fd >= 0)
        (void)sync_file_range(step->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return r;
}

static int write_and_sync(struct publication *publication)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < publication->count; i++) {
        publication->failed_key = publication->changes[i].key;
        r = write_step(publication->filesystem, &publication->changes[i], &publication->steps[i]);
    }
    for (size_t i = 0; r == 0 && i < publication->count; i++) {
        publication->failed_key = publication->changes[i].key;
        if (publication->steps[i].fd >= 0 && fdatasync(publication->steps[i].fd) < 0)
            r = -errno;
    }
    return r;
}

/* --- names ---------------------------------------------------------------------------------- */

static int touch(struct publication *publication, const char *key, size_t size, bool is_new_below)
{
    struct touched *grown;

    for (size_t i = 0; !is_new_below && i < publication->touched_count; i++) {
        const struct touched *item = &publication->touched[i];

        if (item->size == size && memcmp(item->key, key, size) == 0)
            return 0;
    }
    if ((publication->touched_count & (publication->touched_count - 1)) == 0) { /* full at each power of two */
        grown = reallocarray(publication->touched, publication->touched_count ? publication->touched_count * 2 : 1,
                             sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        publication->touched = grown;
    }
    publication->touched[publication->touched_count++] =
        (struct touched){.key = key, .size = size, .is_new_below = is_new_below};
    return 0;
}

/* The length of the folder in which the first size bytes of key lie; 0: the root. */
static size_t parent_size(const char *key, size_t size)
{
    while (size > 0 && key[size - 1] != '/')
        size--;
    return size ? size - 1 : 0;
}

static int note_made(void *object, const char *key, size_t size)
{
    return touch(object, key, parent_size(key, size), true);
}

static int rename_step(struct publication *publication, const struct driver_change *change, struct step *step)
{
    int root_fd = publication->filesystem->root_fd;
    const char *from = change->kind == DRIVER_TAKE ? ((struct filesystem_session *)change->session)->key
                                                   : step->temporary;

    if (change->kind == DRIVER_FOLDER) {
        if (mkdirat(root_fd, change->key, FILESYSTEM_FOLDER_MODE) < 0)
            return -errno;
    } else if (renameat(root_fd, from, root_fd, change->key) < 0) {
        return -errno;
    }
    step->temporary[0] = '\0';
    return 0;
}

/* Somebody may remove a folder between our making it and our use of it: then it is made again. */
static int name_step(struct publication *publication, const struct driver_change *change, struct step *step)
{
    int r = -ENOENT;

    for (int try = 0; r == -ENOENT && try < MOST_TRIES; try++) {
        r = filesystem_make_parents(publication->filesystem, change->key, note_made, publication);
        if (r == 0)
            r = rename_step(publication, change, step);
    }
    if (r == -EEXIST && change->kind == DRIVER_FOLDER)
        return 0;
    return r < 0 ? r : touch(publication, change->key, parent_size(change->key, strlen(change->key)), false);
}

/* The folders made for what did not come go again, the innermost first, unless others use them. */
static void remove_empty(const struct publication *publication)
{
    for (size_t i = publication->touched_count; i-- > 0;) {
        const struct touched *item = &publication->touched[i];
        const char *name = item->key + item->size + (item->size ? 1 : 0);
        CLEANUP_FREE char *path = NULL;

        if (!item->is_new_below)
            continue;
        path = strndup(item->key, (size_t)(strchrnul(name, '/') - item->key));
        if (path)
            unlinkat(publication->filesystem->root_fd, path, AT_REMOVEDIR);
    }
}

static int sync_folder(const struct filesystem *filesystem, const char *key, size_t size)
{
    CLEANUP_FREE char *path = size ? strndup(key, size) : strdup(".");
    CLEANUP_CLOSE int fd = path ? file_open_folder(filesystem->root_fd, path) : -ENOMEM;

    if (fd == -ENOENT) /* removed since, and with it what was in it */
        return 0;
    return fd < 0 ? fd : file_sync_folder(fd);
}

static bool is_synced(const struct publication *publication, size_t i)
{
    const struct touched *item = &publication->touched[i];

    while (i-- > 0) {
        const struct touched *other = &publication->touched[i];

        if (other->size == item->size && memcmp(other->key, item->key, item->size) == 0)
            return true;
    }
    return false;
}

static int sync_folders(struct publication *publication)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < publication->touched_count; i++) {
        const struct touched *item = &publication->touched[i];

        publication->failed_key = item->key;
        if (!is_synced(publication, i))
            r = sync_folder(publication->filesystem, item->key, item->size);
    }
    return r;
}

static int name_each(struct publication *publication)
{
    CLEANUP_CLOSE int guard = filesystem_guard(publication->filesystem, PATIENCE_MS);
    int r = guard < 0 ? guard : 0;

    publication->failed_key = FILESYSTEM_TEMPORARY;
    for (size_t i = 0; r == 0 && i < publication->count; i++) {
        publication->failed_key = publication->changes[i].key;
        r = name_step(publication, &publication->changes[i], &publication->steps[i]);
    }
    return r;
}

static int name_all(struct publication *publication)
{
    int r = name_each(publication);

    if (r < 0) {
        const char *failed_key = publication->failed_key;

        remove_empty(publication);
        (void)sync_folders(publication); /* what was made before the failure is made */
        publication->failed_key = failed_key;
        return r;
    }
    return sync_folders(publication);
}

int filesystem_publish(struct driver *driver, const struct driver_change *changes, size_t count, struct error *err)
{
    CLEANUP(publication_done) struct publication publication = {
        .filesystem = (struct filesystem *)driver, .changes = changes, .count = count,
    };
    int r;

    publication.steps = calloc(count ? count : 1, sizeof(*publication.steps));
    if (!publication.steps)
        return error_set_oom(err);
    for (size_t i = 0; i < count; i++)
        publication.steps[i].fd = -1;
    r = write_and_sync(&publication);
    if (r == 0)
        r = name_all(&publication);
    return r < 0 ? filesystem_fail(publication.filesystem, -r, "write", publication.failed_key, err) : 0;
}
