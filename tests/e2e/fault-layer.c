/*
 * A library for LD_PRELOAD that makes selected calls fail, as with a broken disk, a full descriptor
 * table or exhausted memory. The rules can change while the program runs: they are in the file that
 * FAULT_LAYER names and that tests/e2e/fault_layer.py writes, one rule for each call, in the order
 * of enum call.
 *
 * Calls on sockets and on standard output never fail. Of the calls that open files, only those
 * relative to a directory's descriptor can fail, which the store uses. Of allocations, only those
 * of the program itself can fail, not those of its libraries.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call {
    CALL_OPENAT,
    CALL_WRITE,
    CALL_PWRITE,
    CALL_PREAD,
    CALL_READ,
    CALL_FDATASYNC,
    CALL_FSYNC,
    CALL_RENAMEAT,
    CALL_MKDIRAT,
    CALL_UNLINKAT,
    CALL_FSTATAT,
    CALL_FSTAT,
    CALL_UTIMENSAT,
    CALL_FUTIMENS,
    CALL_FLOCK,
    CALL_FTRUNCATE,
    CALL_THREAD,
    CALL_MEMORY,
    CALL_ACCEPT,
    CALL_FCHMOD,
    CALL_COUNT,
};

/* The first `after` calls of this kind succeed, then `count` calls (-1: all) fail with `code`. */
struct rule {
    int32_t code, after, count, failed;
};

static struct rule *rules;
static uintptr_t program_start, program_end;

/* --- selection of the failing call ------------------------------------------------------- */

static int find_program(struct dl_phdr_info *info, size_t size, void *ignored)
{
    (void)size, (void)ignored;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            program_start = info->dlpi_addr + part->p_vaddr;
            program_end = program_start + part->p_memsz;
        }
    }
    return 1; /* the first object is the program */
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAULT_LAYER");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map =
        fd < 0 ? MAP_FAILED
               : mmap(NULL, CALL_COUNT * sizeof(*rules), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    dl_iterate_phdr(find_program, NULL);
    if (fd >= 0)
        close(fd);
    if (map != MAP_FAILED)
        rules = map;
}

static bool fails(enum call call)
{
    struct rule *rule = rules ? &rules[call] : NULL;

    if (!rule || __atomic_load_n(&rule->count, __ATOMIC_SEQ_CST) == 0)
        return false;
    if (__atomic_fetch_sub(&rule->after, 1, __ATOMIC_SEQ_CST) > 0)
        return false;
    if (rule->count > 0)
        __atomic_fetch_sub(&rule->count, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&rule->failed, 1, __ATOMIC_SEQ_CST);
    errno = rule->code;
    return true;
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* Files and directories, not sockets, pipes and terminals. */
static bool is_disk(int fd)
{
    static int (*next)(int, struct stat *);
    struct stat st;
    int saved = errno;
    bool result;

    if (!next)
        *(void **)&next = real("fstat");
    result = fd > 2 && next(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
    errno = saved;
    return result;
}

/* The headers map these to the large-file versions. */
/* --- files -------------------------------------------------------------------------------- */

#define LAYER(name, type, call, parameters, arguments, is_meant)                                   \
    type name parameters;                                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*next) parameters;                                                             \
                                                                                                   \
        if (!next)                                                                                 \
            *(void **)&next = real(#name);                                                         \
        return (is_meant) && fails(call) ? (type)-1 : next arguments;                              \
    }

LAYER(write, ssize_t, CALL_WRITE, (int fd, const void *data, size_t size), (fd, data, size),
      is_disk(fd))
LAYER(pwrite, ssize_t, CALL_PWRITE, (int fd, const void *data, size_t size, off_t at),
      (fd, data, size, at), is_disk(fd))
LAYER(pread, ssize_t, CALL_PREAD, (int fd, void *data, size_t size, off_t at), (fd, data, size, at),
      is_disk(fd))
LAYER(read, ssize_t, CALL_READ, (int fd, void *data, size_t size), (fd, data, size), is_disk(fd))
LAYER(fdatasync, int, CALL_FDATASYNC, (int fd), (fd), true)
LAYER(fsync, int, CALL_FSYNC, (int fd), (fd), true)
LAYER(renameat, int, CALL_RENAMEAT, (int from_fd, const char *from, int to_fd, const char *to),
      (from_fd, from, to_fd, to), true)
LAYER(mkdirat, int, CALL_MKDIRAT, (int fd, const char *path, mode_t mode), (fd, path, mode), true)
LAYER(unlinkat, int, CALL_UNLINKAT, (int fd, const char *path, int flags), (fd, path, flags), true)
LAYER(fstatat, int, CALL_FSTATAT, (int fd, const char *path, struct stat *st, int flags),
      (fd, path, st, flags), fd >= 0)
LAYER(fstat, int, CALL_FSTAT, (int fd, struct stat *st), (fd, st), is_disk(fd))
LAYER(utimensat, int, CALL_UTIMENSAT,
      (int fd, const char *path, const struct timespec times[2], int flags),
      (fd, path, times, flags), true)
LAYER(futimens, int, CALL_FUTIMENS, (int fd, const struct timespec times[2]), (fd, times), true)
LAYER(flock, int, CALL_FLOCK, (int fd, int operation), (fd, operation), true)
LAYER(ftruncate, int, CALL_FTRUNCATE, (int fd, off_t size), (fd, size), true)
LAYER(fchmod, int, CALL_FCHMOD, (int fd, mode_t mode), (fd, mode), is_disk(fd))
#ifdef STATX_TYPE
LAYER(statx, int, CALL_FSTATAT,
      (int fd, const char *path, int flags, unsigned mask, struct statx *st),
      (fd, path, flags, mask, st), fd >= 0)
#endif
LAYER(accept4, int, CALL_ACCEPT, (int fd, void *address, void *size, int flags),
      (fd, address, size, flags), true)

/* openat2() and renameat2(), which have no functions of their own everywhere. */
long syscall(long number, ...);
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long arguments[6];
    va_list args;

    if (!next)
        *(void **)&next = real("syscall");
    va_start(args, number);
    for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++)
        arguments[i] = va_arg(args, long);
    va_end(args);
    if ((number == SYS_openat2 && fails(CALL_OPENAT)) ||
        (number == SYS_renameat2 && fails(CALL_RENAMEAT)))
        return -1;
    return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}

#define LAYER_OPENAT(name)                                                                         \
    int name(int fd, const char *path, int flags, ...);                                            \
    int name(int fd, const char *path, int flags, ...)                                             \
    {                                                                                              \
        static int (*next)(int, const char *, int, ...);                                           \
        mode_t mode = 0;                                                                           \
        va_list args;                                                                              \
                                                                                                   \
        if (!next)                                                                                 \
            *(void **)&next = real(#name);                                                         \
        va_start(args, flags);                                                                     \
        if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))                                        \
            mode = va_arg(args, mode_t);                                                           \
        va_end(args);                                                                              \
        return fd >= 0 && fails(CALL_OPENAT) ? -1 : next(fd, path, flags, mode);                   \
    }

LAYER_OPENAT(openat)

/* --- threads and memory ------------------------------------------------------------------ */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (!next)
        *(void **)&next = real("pthread_create");
    return fails(CALL_THREAD) ? errno : next(thread, attributes, run, argument);
}

static bool has_no_memory_for(const void *caller)
{
    return (uintptr_t)caller >= program_start && (uintptr_t)caller < program_end &&
           fails(CALL_MEMORY);
}

#define CALLER __builtin_return_address(0)

/* The C library's internal names: with them, an allocation needs no symbol lookup. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return has_no_memory_for(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return has_no_memory_for(CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return has_no_memory_for(CALLER) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return has_no_memory_for(CALLER) ? NULL : __libc_realloc(old, total);
}

static char *copy(const char *text, size_t size)
{
    char *result = __libc_malloc(size + 1);

    if (!result)
        return NULL;
    memcpy(result, text, size);
    result[size] = '\0';
    return result;
}

char *strdup(const char *text)
{
    return has_no_memory_for(CALLER) ? NULL : copy(text, strlen(text));
}

char *strndup(const char *text, size_t size)
{
    return has_no_memory_for(CALLER) ? NULL : copy(text, strnlen(text, size));
}

static int format(char **ret, const char *text, va_list args)
{
    static int (*next)(char **, const char *, va_list);

    if (!next)
        *(void **)&next = real("vasprintf");
    return next(ret, text, args);
}

int vasprintf(char **ret, const char *text, va_list args)
{
    return has_no_memory_for(CALLER) ? -1 : format(ret, text, args);
}

int asprintf(char **ret, const char *text, ...)
{
    va_list args;
    int result = -1;

    va_start(args, text);
    if (!has_no_memory_for(CALLER))
        result = format(ret, text, args);
    va_end(args);
    return result;
}
