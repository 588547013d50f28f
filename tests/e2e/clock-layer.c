/*
 * A library for LD_PRELOAD that moves a program's clocks forward while it runs, so that a test need
 * not wait for what happens once a day. CLOCK_LAYER names a file with the number of seconds, which
 * tests/e2e/clock_layer.py writes.
 *
 * A wait for a condition returns early, as it may, so that a moved clock is seen soon.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NS = 5 * 1000 * 1000 };

static const int64_t *seconds; /* in the file; NULL: the clocks are not moved */

static __attribute__((constructor)) void open_file(void)
{
    const char *path = getenv("CLOCK_LAYER");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(*seconds), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        seconds = map;
}

static time_t shift(void)
{
    return seconds ? (time_t)__atomic_load_n(seconds, __ATOMIC_RELAXED) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int r = (int)syscall(SYS_clock_gettime, clock, ret);

    if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME))
        ret->tv_sec += shift();
    return r;
}

time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* All conditions of registryd wait on CLOCK_MONOTONIC (common/condition.h). */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *end)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    struct timespec now;

    (void)condition;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec))
        return ETIMEDOUT;
    pthread_mutex_unlock(mutex);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(mutex);
    return 0;
}
