#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void check_says(const struct error *err, const char *part, const char *file, int line)
{
    if (strstr(err->text, part) && !strchr(err->text, '\n') && err->text[0] != ' ')
        return;
    print_error("\"%s\" does not say \"%s\"\n", err->text, part);
    _fail(file, line);
}

void check_holds(const struct secbuf *buf, const void *bytes, size_t size, const char *file, int line)
{
    if (buf->size == size && (size == 0 || memcmp(buf->data, bytes, size) == 0))
        return;
    print_error("%zu bytes \"%.*s\", where there should be %zu \"%s\"\n", buf->size, (int)buf->size,
                (const char *)buf->data, size, (const char *)bytes);
    _fail(file, line);
}

void check_case(const char *name, const char *condition, bool holds, const char *file, int line)
{
    if (holds)
        return;
    print_error("in the case \"%s\" this is not so: %s\n", name, condition);
    _fail(file, line);
}

void *copy_exactly(const void *bytes, size_t size)
{
    void *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

void fill(char *text, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text[i] = c;
    text[count] = '\0';
}

int run_in_child(int (*function)(void *argument), void *argument)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(function(argument));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
