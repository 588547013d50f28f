/*
 * A configuration file: accepted settings are complete, and errors are one line.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "common/file.h"
#include "tests/fuzz/registry-config/check-settings.h"

bool fuzz_was_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_CLOSE int fd = memfd_create("configuration", MFD_CLOEXEC);
    char *environment[] = {NULL};
    char path[64];

    REQUIRE(fd >= 0 && file_write_all(fd, data, size) == 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    fuzz_was_accepted = load_and_check(path, environment);
    return 0;
}
