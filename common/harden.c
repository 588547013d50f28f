/*
 * Measures that a process must take before it reads the first secret.
 */
#include "common/harden.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Otherwise the next opened file would become stdin, stdout or stderr. */
static void open_standard_streams(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

enum {
    WIPED_STACK_SIZE = 256 << 10, /* more than any of our calls uses; the usual limit is 8 MiB */
    SMALLEST_PAGE_SIZE = 4 << 10,
};

/*
 * Not inlined, so that the array overlaps the frames of earlier calls. Pages that were never used
 * are not wiped, because the kernel would have to allocate them first, which takes longer than the
 * rest of a short run.
 */
__attribute__((noinline)) void harden_wipe_stack(void)
{
    unsigned char used_before[WIPED_STACK_SIZE], is_used[WIPED_STACK_SIZE / SMALLEST_PAGE_SIZE + 1];
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)used_before % page_size,
           at = 0;

    if (mincore((void *)((uintptr_t)used_before - begin), WIPED_STACK_SIZE + begin, is_used) < 0) {
        explicit_bzero(used_before, sizeof(used_before));
        return;
    }
    for (size_t i = 0; at < WIPED_STACK_SIZE; i++) {
        size_t end = (i + 1) * page_size - begin;

        if (end > WIPED_STACK_SIZE)
            end = WIPED_STACK_SIZE;
        if (is_used[i] & 1)
            explicit_bzero(used_before + at, end - at);
        at = end;
    }
}

void harden_process(void)
{
    const struct rlimit none = {0};

    open_standard_streams();
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}
