/*
 * Runs a target over every file of a corpus directory, so that the ordinary test run covers what
 * fuzzing has found. Files named should-fail-* must be refused, all others accepted.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "tests/fuzz/fuzz.h"

enum { LARGEST_INPUT = 4 << 20 };

/* Returns 1 if the target and the file's name disagree, or if the file cannot be read. */
static int run_file(int directory_fd, const char *name)
{
    CLEANUP_CLOSE int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
    CLEANUP_FREE char *text = NULL;
    bool is_refusal_wanted = strncmp(name, "should-fail-", strlen("should-fail-")) == 0;
    size_t size;

    if (fd < 0 || file_read_all(fd, LARGEST_INPUT, &text, &size) < 0) {
        fprintf(stderr, "%s: cannot be read\n", name);
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)text, size);
    if (fuzz_was_accepted != is_refusal_wanted)
        return 0;
    fprintf(stderr, "%s: %s\n", name, is_refusal_wanted ? "accepted" : "refused");
    return 1;
}

static int run_directory(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int count = 0, wrong = 0;

    while (directory && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        wrong += run_file(dirfd(directory), entry->d_name);
        count++;
    }
    if (directory)
        closedir(directory);
    printf("%s: %d inputs, %d wrong\n", path, count, wrong);
    return count == 0 || wrong != 0;
}

int main(int argc, char **argv)
{
    return argc == 2 ? run_directory(argv[1]) : 2;
}
