/*
 * To be preloaded: lets one allocation of the helper fail, or all from one on, whoever makes it: the helper, GPGME, cJSON, the
 * C library. Secure memory counts as well. gpg and the others, which the helper starts, are left alone.
 *
 *     FAIL_ALLOCATION=N       the Nth returns NULL; 0: none
 *     FAIL_ALLOCATION_ON=1    and so do all after it
 *     FAIL_CLOSE=N            the Nth close() closes, and says EIO; 0: none
 *     FAIL_ALLOCATION_LOG=F   writes to F how many allocations there were; of the first that failed, the file that the code
 *                             lies in which asked for it (the C library apart); and how many times close() was called
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

/* The file of the innermost function on the stack that is neither here nor in the C library. */
static void find_asker(void)
{
    void *addresses[24];
    int n = backtrace(addresses, 24);
    Dl_info own, libc, info;

    dladdr(log_file, &own);
    dladdr(stdout, &libc); /* both are objects that lie in the file in question */
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
        write_log(); /* in case that it does not come to its end */
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
