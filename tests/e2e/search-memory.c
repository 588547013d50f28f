/*
 * search-memory PATTERN-FILE -- PROGRAM [ARGUMENT...]
 *
 * Runs the program and searches its memory for patterns when it exits, while the memory still
 * exists. PATTERN-FILE has one pattern per line. 12 consecutive bytes of a pattern count as a
 * match, because free() overwrites the head of a block with its own pointers, and a reused
 * buffer keeps the tail of longer earlier content.
 *
 * Each match is a line on stderr, without the matched bytes. Exit status: 3 if there is a match,
 * 125 if search-memory failed, otherwise that of the program. Only the program itself is
 * searched, not its child processes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WINDOW_SIZE = 12,
    MAX_PATTERNS = 32,
    EXIT_FOUND = 3,
    EXIT_TROUBLE = 125,
};

/* Only sanitizers' reserved address ranges are larger, and they contain no data of the program. */
static const uint64_t max_mapping_size = UINT64_C(1) << 30;

struct pattern {
    const unsigned char *text;
    size_t size;
};

static struct pattern patterns[MAX_PATTERNS];
static size_t n_patterns;
/* Whether any window starts with these two bytes: this excludes nearly all positions quickly. */
static bool may_begin[1 << 16];

/* One line of /proc/PID/maps. */
struct mapping {
    uint64_t begin, end;
    char access[5], name[256];
};

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("search-memory: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_TROUBLE);
}

/* --- patterns ----------------------------------------------------------------------------- */

static size_t index_of(const unsigned char *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static void add_pattern(const char *line, size_t size)
{
    struct pattern *pattern = &patterns[n_patterns];

    if (n_patterns++ >= MAX_PATTERNS)
        fail("more than %d patterns", MAX_PATTERNS);
    if (size < WINDOW_SIZE)
        fail("a pattern of less than %d bytes would be found anywhere", WINDOW_SIZE);
    pattern->text = (const unsigned char *)strndup(line, size);
    pattern->size = size;
    if (!pattern->text)
        fail("out of memory");
    for (size_t i = 0; i + WINDOW_SIZE <= size; i++)
        may_begin[index_of(pattern->text + i)] = true;
}

static void read_patterns(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    if (!file)
        fail("cannot read %s: %s", path, strerror(errno));
    while ((size = getline(&line, &room, file)) > 0)
        add_pattern(line, (size_t)size - (line[size - 1] == '\n'));
    if (n_patterns == 0)
        fail("%s holds no pattern", path);
    free(line);
    fclose(file);
}

/* --- searching ---------------------------------------------------------------------------- */

/* Returns the number of consecutive bytes of the pattern at data, from any offset in it; 0 if too few. */
static size_t match_at(const struct pattern *pattern, const unsigned char *data, size_t size)
{
    size_t longest = 0;

    for (size_t i = 0; i + WINDOW_SIZE <= pattern->size; i++) {
        size_t n = 0;

        while (n < size && i + n < pattern->size && pattern->text[i + n] == data[n])
            n++;
        if (n >= WINDOW_SIZE && n > longest)
            longest = n;
    }
    return longest;
}

/* Prints the position of the longest match of the pattern, if any. */
static bool report(const struct mapping *mapping, size_t number, size_t longest, size_t at)
{
    if (longest == 0)
        return false;
    fprintf(stderr, "search-memory: %zu of %zu bytes of pattern %zu at 0x%" PRIx64 " in %s %s\n", longest,
            patterns[number].size, number + 1, mapping->begin + at, mapping->access, mapping->name);
    return true;
}

static bool search_bytes(const struct mapping *mapping, const unsigned char *data, size_t size)
{
    size_t longest[MAX_PATTERNS] = {0}, place[MAX_PATTERNS] = {0};
    bool is_found = false;

    for (size_t at = 0; at + WINDOW_SIZE <= size; at++) {
        if (!may_begin[index_of(data + at)])
            continue;
        for (size_t i = 0; i < n_patterns; i++) {
            size_t n = match_at(&patterns[i], data + at, size - at);

            if (n > longest[i]) {
                longest[i] = n;
                place[i] = at;
            }
        }
    }
    for (size_t i = 0; i < n_patterns; i++)
        is_found |= report(mapping, i, longest[i], place[i]);
    return is_found;
}

/* Reads as much as possible: a mapping can extend beyond the end of its file. */
static size_t read_memory(int memory_fd, const struct mapping *mapping, unsigned char *buffer)
{
    size_t size = (size_t)(mapping->end - mapping->begin), total = 0;

    while (total < size) {
        ssize_t n = pread(memory_fd, buffer + total, size - total, (off_t)(mapping->begin + total));

        if (n <= 0)
            break;
        total += (size_t)n;
    }
    return total;
}

static bool search_mapping(int memory_fd, const struct mapping *mapping)
{
    unsigned char *buffer;
    bool is_found;
    size_t size;

    if (mapping->end - mapping->begin > max_mapping_size)
        return false;
    buffer = malloc((size_t)(mapping->end - mapping->begin));
    if (!buffer)
        fail("out of memory");
    size = read_memory(memory_fd, mapping, buffer);
    if (size == 0 && mapping->access[1] == 'w')
        fail("cannot read the memory at 0x%" PRIx64 " %s", mapping->begin, mapping->name);
    is_found = search_bytes(mapping, buffer, size);
    free(buffer);
    return is_found;
}

static bool parse_mapping(const char *line, struct mapping *ret_mapping)
{
    ret_mapping->name[0] = '\0';
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %255[^\n]", &ret_mapping->begin, &ret_mapping->end,
                  ret_mapping->access, ret_mapping->name) >= 3;
}

static bool search_process(pid_t pid)
{
    char path[64], *line = NULL;
    struct mapping mapping;
    bool is_found = false;
    int memory_fd;
    size_t room = 0;
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    memory_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (memory_fd < 0)
        fail("cannot open %s: %s", path, strerror(errno));
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    maps = fopen(path, "re");
    if (!maps)
        fail("cannot open %s: %s", path, strerror(errno));
    while (getline(&line, &room, maps) > 0)
        if (parse_mapping(line, &mapping) && mapping.access[0] == 'r')
            is_found |= search_mapping(memory_fd, &mapping);
    free(line);
    fclose(maps);
    close(memory_fd);
    return is_found;
}

/* --- running ------------------------------------------------------------------------------ */

static pid_t start(char *const argv[])
{
    pid_t pid = fork();

    if (pid < 0)
        fail("cannot fork: %s", strerror(errno));
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            fail("cannot be traced: %s", strerror(errno));
        raise(SIGSTOP); /* until the options are set */
        execvp(argv[0], argv);
        fail("cannot run %s: %s", argv[0], strerror(errno));
    }
    return pid;
}

static void set_options(pid_t pid)
{
    uintptr_t options = PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        fail("the program did not start");
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) < 0)
        fail("cannot trace: %s", strerror(errno));
    ptrace(PTRACE_CONT, pid, NULL, NULL);
}

static bool is_event(int status, int event)
{
    return status >> 8 == (SIGTRAP | event << 8);
}

/* Runs the program until it exits and searches it then; returns its exit status as a shell does. */
static int follow(pid_t pid, bool *ret_found)
{
    bool is_running = false, is_searched = false;
    uintptr_t number;
    int status;

    for (;;) {
        if (waitpid(pid, &status, 0) != pid)
            fail("the program was lost: %s", strerror(errno));
        if (!WIFSTOPPED(status))
            break;
        /* Before exec it is still a copy of this process, including the patterns. */
        if (is_event(status, PTRACE_EVENT_EXEC))
            is_running = true;
        if (is_event(status, PTRACE_EVENT_EXIT) && is_running) {
            *ret_found = search_process(pid);
            is_searched = true;
        }
        /* A stop without an event is a signal for the program. */
        number = status >> 16 ? 0 : (uintptr_t)WSTOPSIG(status);
        ptrace(PTRACE_CONT, pid, NULL, (void *)number);
    }
    if (!is_searched)
        fail("the program ended before it could be searched");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char *argv[])
{
    bool is_found = false;
    int status;
    pid_t pid;

    if (argc < 4 || strcmp(argv[2], "--") != 0)
        fail("usage: search-memory PATTERN-FILE -- PROGRAM [ARGUMENT...]");
    read_patterns(argv[1]);
    pid = start(argv + 3);
    set_options(pid);
    status = follow(pid, &is_found);
    return is_found ? EXIT_FOUND : status;
}
