#include "tests/unit/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_callers(const char *name)
{
    static const char *const prefixes[] = {"DOCKER_", "GIT_", "GPG_", "PASSWORD_STORE_", "REGISTRY_", "XDG_"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return strcmp(name, "GNUPGHOME") == 0;
}

/* Removes settings of the caller's shell, which must not change the tests. Runs before main(). */
__attribute__((constructor)) static void leave_nothing_of_the_caller(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGCHLD};
    sigset_t none;

    for (size_t i = 0; environ[i];) {
        char *name = strndup(environ[i], strcspn(environ[i], "="));

        if (!name)
            abort();
        if (!is_callers(name) || unsetenv(name) < 0) /* unsetenv() moves the next one here */
            i++;
        free(name);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        signal(signals[i], SIG_DFL);
    umask(022);
}

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
    print_error("case \"%s\": this is false: %s\n", name, condition);
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
