/*
 * What a process that holds secrets should have done before it reads the first one.
 */
#include "common/harden.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Otherwise the next file opened would be taken for stdin, stdout or stderr. */
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
    WIPED_STACK_SIZE = 256 << 10, /* more than any of our calls has used; the stack limit is 8 MiB as a rule */
    PAGE_SIZE = 4 << 10,          /* where the system's are larger, several of ours are in one */
};

/* Whether something was ever written there; also where that cannot be told. */
static bool is_in_use(const unsigned char *page)
{
    unsigned char is_resident;
    uintptr_t begin = (uintptr_t)page & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);

    return mincore((void *)begin, 1, &is_resident) < 0 || (is_resident & 1);
}

/*
 * Not inlined, so that the array lies where the frames of earlier calls were. To wipe also what was never used would have the
 * system find memory for it first, which takes longer than all the rest of a short run.
 */
__attribute__((noinline)) void harden_wipe_stack(void)
{
    unsigned char used_before[WIPED_STACK_SIZE];
    size_t to_page = PAGE_SIZE - (uintptr_t)used_before % PAGE_SIZE, at = 0;

    for (size_t end = to_page; at < WIPED_STACK_SIZE; at = end, end += PAGE_SIZE) {
        if (end > WIPED_STACK_SIZE)
            end = WIPED_STACK_SIZE;
        if (is_in_use(used_before + at))
            explicit_bzero(used_before + at, end - at);
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
