/*
 * A library for LD_PRELOAD that makes one allocation of the helper fail, or all from that one on. It covers allocations of
 * the helper, GPGME, cJSON and the C library, including secure memory. Programs that the helper starts are not affected.
 *
 *     FAIL_ALLOCATION=N       the Nth returns NULL; 0: none
 *     FAIL_ALLOCATION_ON=1    all later ones fail, too
 *     FAIL_CLOSE=N            the Nth close() closes the descriptor, but returns EIO; 0: none
 *     FAIL_ALLOCATION_LOG=F   writes to F: the number of allocations; the object file of the caller of the first failed one
 *                             (callers in the C library are skipped); the number of close() calls
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *gcry_malloc_secure(size_t size);

static bool is_counting, fails_on;
static unsigned long count, failing, closings, failing_close;
static char log_file[512];
static const char *asker = "-";

static void write_log(void)
{
    char text[512];
    int fd = *log_file ? open(log_file, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    int size = snprintf(text, sizeof(text), "%lu %s %lu\n", count, asker, closings);

    if (fd < 0)
        return;
    if (write(fd, text, (size_t)size) != size)
        abort();
    close(fd);
}

/* Returns the object file of the innermost function on the stack that is neither here nor in the C library. */
static void find_asker(void)
{
    void *addresses[24];
    int n = backtrace(addresses, 24);
    Dl_info own, libc, info;

    dladdr(log_file, &own);
    dladdr(stdout, &libc); /* both are objects of that file */
    for (int i = 0; i < n; i++)
        if (dladdr(addresses[i], &info) && info.dli_fbase != own.dli_fbase && info.dli_fbase != libc.dli_fbase) {
            asker = info.dli_fname;
            return;
        }
}

static bool fails(void)
{
    if (!is_counting)
        return false;
    count++;
    if (!failing || (fails_on ? count < failing : count != failing))
        return false;
    is_counting = false;
    if (*asker == '-') {
        find_asker();
        write_log(); /* in case the program does not exit normally */
    }
    is_counting = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return fails() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t number, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(number, size, &total) || fails())
        return NULL;
    return __libc_realloc(memory, total);
}

void *gcry_malloc_secure(size_t size)
{
    static void *(*real)(size_t);
    bool was_counting = is_counting;
    void *memory;

    if (fails())
        return NULL;
    is_counting = false;
    if (!real) {
        void *symbol = dlsym(RTLD_NEXT, "gcry_malloc_secure");

        memcpy(&real, &symbol, sizeof(real)); /* ISO C has no cast for it */
    }
    memory = real(size);
    is_counting = was_counting;
    return memory;
}

int close(int fd)
{
    int r = (int)syscall(SYS_close, fd);

    if (!is_counting || ++closings != failing_close || r < 0)
        return r;
    errno = EIO;
    return -1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *wanted = getenv("FAIL_ALLOCATION"), *on = getenv("FAIL_ALLOCATION_ON"), *name = getenv("FAIL_ALLOCATION_LOG");

    if (!wanted || strcmp(program_invocation_short_name, "docker-credential-pass") != 0)
        return;
    failing = strtoul(wanted, NULL, 10);
    failing_close = getenv("FAIL_CLOSE") ? strtoul(getenv("FAIL_CLOSE"), NULL, 10) : 0;
    fails_on = on && *on == '1';
    snprintf(log_file, sizeof(log_file), "%s", name ? name : "");
    is_counting = true;
}

__attribute__((destructor)) static void end(void)
{
    is_counting = false;
    write_log();
}
