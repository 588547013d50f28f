#include "tests/unit/registry-core/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum fault_mode mode;
static int left, failure;
static bool is_counting;
static char trace[4096];
static size_t trace_size;
static void (*before_rename)(const char *directory);

void fault_start(enum fault_mode new_mode, int at, int code)
{
    mode = new_mode;
    left = at;
    failure = code;
    trace_size = 0;
    is_counting = true;
}

void fault_before_rename(void (*function)(const char *directory))
{
    before_rename = function;
}

int fault_stop(void)
{
    is_counting = false;
    return mode != FAULT_NONE && left <= 0;
}

const char *fault_trace(void)
{
    trace[trace_size] = '\0';
    return trace;
}

/* Whether this call is the one that fails. */
static bool is_time(char letter)
{
    if (!is_counting)
        return false;
    if (trace_size < sizeof(trace) - 1)
        trace[trace_size++] = letter;
    if (mode == FAULT_NONE || --left != 0)
        return false;
    if (mode == FAULT_EXIT)
        _exit(FAULT_EXIT_STATUS);
    errno = failure;
    return true;
}

#define WRAP(letter, type, name, parameters, arguments)                                            \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return is_time(letter) ? (type)-1 : __real_##name arguments;                               \
    }

WRAP('w', ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP('p', ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t at),
     (fd, data, size, at))
WRAP('g', ssize_t, pread64, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))

/* The tests do not simulate a power failure, so nothing needs to reach the disk. */
#define WRAP_SYNC(letter, name)                                                                    \
    int __wrap_##name(int fd);                                                                     \
    int __wrap_##name(int fd)                                                                      \
    {                                                                                              \
        (void)fd;                                                                                  \
        return is_time(letter) ? -1 : 0;                                                           \
    }

WRAP_SYNC('d', fdatasync)
WRAP_SYNC('f', fsync)

WRAP('m', int, mkdirat, (int fd, const char *path, mode_t access), (fd, path, access))
WRAP('u', int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP('s', int, fstatat64, (int fd, const char *path, struct stat *st, int flags),
     (fd, path, st, flags))
WRAP('t', int, fstat64, (int fd, struct stat *st), (fd, st))

static void tell_before_rename(int to_fd)
{
    void (*function)(const char *directory) = before_rename;
    char link[64], path[1024];
    ssize_t size;

    before_rename = NULL;
    if (!function)
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", to_fd);
    size = readlink(link, path, sizeof(path) - 1);
    path[size < 0 ? 0 : size] = '\0';
    function(path);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    tell_before_rename(to_fd);
    return is_time('r') ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

int __real_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...)
{
    mode_t access = 0;
    va_list args;

    if (flags & O_CREAT) {
        va_start(args, flags);
        access = va_arg(args, mode_t);
        va_end(args);
    }
    return is_time('o') ? -1 : __real_openat64(fd, path, flags, access);
}

/* openat2() and renameat2(), which have no functions of their own everywhere. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long arguments[5];
    va_list args;

    va_start(args, number);
    for (size_t i = 0; i < 5; i++)
        arguments[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_renameat2)
        tell_before_rename((int)arguments[2]);
    if ((number == SYS_renameat2 && is_time('r')) || (number == SYS_openat2 && is_time('o')))
        return -1;
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4]);
}

#ifdef STATX_TYPE
WRAP('s', int, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *st),
     (fd, path, flags, mask, st))
#endif
