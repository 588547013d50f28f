/*
 * What a process that holds secrets should have done before it reads the first one.
 */
#include "common/harden.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
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

/* More than any of our calls has used; the stack limit is 8 MiB as a rule. */
enum { WIPED_STACK_SIZE = 256 << 10 };

/* Not inlined, so that the array lies where the frames of earlier calls were. */
__attribute__((noinline)) void harden_wipe_stack(void)
{
    unsigned char used_before[WIPED_STACK_SIZE];

    explicit_bzero(used_before, sizeof(used_before));
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
