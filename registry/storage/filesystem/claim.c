/*
 * Claims on prefixes are locks on files in _temporary/claims. The hash of a prefix selects the
 * file, so the prefix itself need not exist. Each file has a second one, the gate: without it the
 * kernel would prefer new shared locks to a process that waits for an exclusive one. The kernel
 * releases a lock when its process ends, and not before, so a claim is never lost while its holder
 * lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "common/monotonic.h"
#include "registry/storage/filesystem/filesystem-private.h"

enum { CLAIM_FILES = 64, FIRST_PAUSE_NS = 100000, LONGEST_PAUSE_NS = 5000000 };

struct filesystem_claim {
    struct storage_claim claim;
    int fd; /* locked, or -1 on a read-only file system */
};

int filesystem_lock(int fd, int operation, int64_t deadline_ms)
{
    struct timespec pause = {.tv_nsec = FIRST_PAUSE_NS};

    while (flock(fd, operation | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (monotonic_ms() >= deadline_ms)
            return -EAGAIN;
        nanosleep(&pause, NULL);
        pause.tv_nsec = pause.tv_nsec * 2 < LONGEST_PAUSE_NS ? pause.tv_nsec * 2 : LONGEST_PAUSE_NS;
    }
    return 0;
}

static unsigned number_of(const char *prefix)
{
    uint32_t hash = 2166136261u; /* FNV-1a; it only has to distribute well */

    for (; *prefix; prefix++)
        hash = (hash ^ (unsigned char)*prefix) * 16777619u;
    return hash % CLAIM_FILES;
}

/* Opens the directory of the lock files. Returns the descriptor or -errno. */
static int open_claims(const struct filesystem *filesystem)
{
    CLEANUP_CLOSE int temporary = -1;
    int fd =
        beneath_open_directory(filesystem->root_fd, FILESYSTEM_TEMPORARY "/" FILESYSTEM_CLAIMS);

    if (fd != -ENOENT)
        return fd;
    temporary = filesystem_open_temporary(filesystem);
    if (temporary < 0)
        return temporary;
    if (mkdirat(temporary, FILESYSTEM_CLAIMS, FILESYSTEM_DIRECTORY_MODE) < 0 && errno != EEXIST)
        return -errno;
    return beneath_open_directory(filesystem->root_fd, FILESYSTEM_TEMPORARY "/" FILESYSTEM_CLAIMS);
}

static int open_file(int directory_fd, unsigned number, const char *suffix)
{
    char name[32];
    int fd;

    snprintf(name, sizeof(name), "%02u%s", number, suffix);
    fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                FILESYSTEM_FILE_MODE);
    return fd < 0 ? -errno : fd;
}

/* Returns the locked descriptor, or -errno; -EAGAIN after the deadline. */
static int lock_prefix(const struct filesystem *filesystem, const char *prefix, int operation,
                       int64_t deadline_ms)
{
    CLEANUP_CLOSE int directory = open_claims(filesystem);
    CLEANUP_CLOSE int gate = -1, fd = -1;
    int r;

    if (directory < 0)
        return directory;
    gate = open_file(directory, number_of(prefix), "-gate");
    fd = open_file(directory, number_of(prefix), "");
    if (gate < 0 || fd < 0)
        return gate < 0 ? gate : fd;
    r = filesystem_lock(gate, operation, deadline_ms);
    if (r == 0)
        r = filesystem_lock(fd, operation, deadline_ms);
    return r < 0 ? r : steal_fd(&fd);
}

int filesystem_claim(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
                     unsigned patience_ms, struct storage_claim **ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)storage;
    CLEANUP_CLOSE int fd =
        lock_prefix(filesystem, prefix, mode == STORAGE_EXCLUSIVE ? LOCK_EX : LOCK_SH,
                    monotonic_ms() + patience_ms);
    struct filesystem_claim *claim;

    if (fd == -EAGAIN)
        return STORAGE_WOULD_WAIT;
    /* On a read-only file system no process can write, so there is nothing to protect. */
    if (fd < 0 && fd != -EROFS)
        return filesystem_fail(filesystem, -fd, "claim", prefix, err);
    claim = calloc(1, sizeof(*claim));
    if (!claim)
        return error_set_oom(err);
    claim->claim.functions = storage->functions;
    claim->fd = fd < 0 ? -1 : steal_fd(&fd);
    *ret = &claim->claim;
    return 0;
}

int filesystem_claim_check(struct storage_claim *claim, struct error *err)
{
    (void)claim;
    (void)err;
    return 0;
}

void filesystem_claim_release(struct storage_claim *base)
{
    struct filesystem_claim *claim = (struct filesystem_claim *)base;

    if (claim->fd >= 0)
        close(claim->fd);
    free(claim);
}
