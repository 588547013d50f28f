#include "helper/setup/other-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/children.h"
#include "common/file.h"
#include "common/json.h"
#include "common/monotonic.h"
#include "helper/protocol.h"

/* A helper may ask a person to unlock a keychain. */
enum { TIMEOUT_S = 120, BLOCK = 4096, LOOK_MS = 20 };
#define OUTPUT_MAX ((size_t)4 << 20)

/* --- running it ------------------------------------------------------------------------------ */

struct exchange {
    const char *program, *verb;
    struct secbuf *output;
    pid_t pid;
    int fd;
    int status;
};

static int spawn(struct exchange *one, int input_fd, int output_fd)
{
    const char *const argv[] = {one->program, one->verb, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        r = posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
        if (r == 0)
            r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
            r = posix_spawnp(&one->pid, one->program, &actions, &attributes, (char *const *)argv,
                             environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* 1 if something was read, 0 at the end, or negative. */
static int read_some(struct exchange *one)
{
    ssize_t n;

    if (one->output->size >= OUTPUT_MAX)
        return -EFBIG;
    if (secbuf_reserve(one->output, BLOCK) < 0)
        return -ENOMEM;
    n = read(one->fd, one->output->data + one->output->size, BLOCK);
    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    one->output->size += (size_t)n;
    return n > 0;
}

/* Reads its output to the end and waits for it. */
static int wait_for_end(struct exchange *one)
{
    int64_t end_ms = monotonic_ms() + TIMEOUT_S * INT64_C(1000);
    struct pollfd ready = {.fd = one->fd, .events = POLLIN};
    bool is_open = true;

    while (monotonic_ms() < end_ms) {
        int n = is_open ? poll(&ready, 1, LOOK_MS) : poll(NULL, 0, LOOK_MS);
        int r = n == 1 ? read_some(one) : 1;
        pid_t ended;

        if (r < 0)
            return r;
        if (n == 1 && r > 0)
            continue;
        is_open = is_open && r > 0;
        ended = waitpid(one->pid, &one->status, WNOHANG);
        if (ended == one->pid)
            return 0;
        if (ended < 0)
            return -errno;
    }
    return -ETIMEDOUT;
}

static int run(struct exchange *one, const char *input)
{
    CLEANUP_CLOSE int input_fd = memfd_create("request", MFD_CLOEXEC), read_end = -1;
    int ends[2], r;

    if (input_fd < 0)
        return -errno;
    r = file_write_all(input_fd, input, strlen(input));
    if (r < 0)
        return r;
    if (lseek(input_fd, 0, SEEK_SET) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    read_end = one->fd = ends[0];
    children_adopt();
    r = spawn(one, input_fd, ends[1]);
    close(ends[1]);
    if (r < 0)
        return r;
    r = wait_for_end(one);
    if (r < 0) {
        kill(one->pid, SIGTERM);
        children_finish(0);
    }
    return r;
}

/*
 * 0 or OTHER_HELPER_NOT_FOUND; the output is then in ret_output. A helper prints its error text on
 * stdout.
 */
static int ask(const char *helper, const char *verb, const char *input, struct secbuf *ret_output,
               struct error *err)
{
    CLEANUP_FREE char *program = NULL;
    struct exchange one = {.verb = verb, .output = ret_output};
    size_t size;
    int r;

    if (asprintf(&program, "docker-credential-%s", helper) < 0) {
        program = NULL;
        return error_set_oom(err);
    }
    one.program = program;
    r = run(&one, input);
    if (r == -ENOENT)
        return error_set(err, ENOENT, "%s is not on PATH", program);
    if (r == -EFBIG)
        return error_set(err, EFBIG, "%s %s answers more than %zu MiB", program, verb,
                         OUTPUT_MAX >> 20);
    if (r < 0)
        return error_set_errno(err, -r, "cannot run %s %s", program, verb);
    if (WIFEXITED(one.status) && WEXITSTATUS(one.status) == 0)
        return 0;
    size = ret_output->size;
    while (size > 0 && (ret_output->data[size - 1] == '\n' || ret_output->data[size - 1] == '\r'))
        size--;
    if (size == strlen(PROTOCOL_NOT_FOUND) &&
        memcmp(ret_output->data, PROTOCOL_NOT_FOUND, size) == 0)
        return OTHER_HELPER_NOT_FOUND;
    return error_set(err, EIO, "%s %s fails: %.*s", program, verb, size > 200 ? 200 : (int)size,
                     size ? (const char *)ret_output->data : "");
}

/* --- the verbs ------------------------------------------------------------------------------- */

void other_servers_done(struct other_servers *servers)
{
    for (size_t i = 0; i < servers->count; i++)
        free(servers->names[i]);
    free(servers->names);
    *servers = (struct other_servers){0};
}

static int take_names(const struct json *document, struct other_servers *servers)
{
    size_t count = 0;

    for (const struct json *one = json_get_first(document); one; one = json_get_next(one))
        count++;
    servers->names = calloc(count + 1, sizeof(*servers->names));
    if (!servers->names)
        return -ENOMEM;
    for (const struct json *one = json_get_first(document); one; one = json_get_next(one)) {
        if (!*json_get_name(one) || json_find(document, json_get_name(one)) != one)
            continue;
        servers->names[servers->count] = strdup(json_get_name(one));
        if (!servers->names[servers->count++])
            return -ENOMEM;
    }
    return 0;
}

int other_helper_list(const char *helper, struct other_servers *ret, struct error *err)
{
    CLEANUP(other_servers_done) struct other_servers servers = {0};
    CLEANUP(json_freep) struct json *document = NULL;
    CLEANUP(secbuf_done) struct secbuf output = {0};
    int r = ask(helper, "list", "", &output, err);

    if (r == OTHER_HELPER_NOT_FOUND) /* some helpers answer this if they have no logins */
        return 0;
    if (r < 0)
        return r;
    r = json_parse(output.data, output.size, &document);
    if (r == -EBADMSG ||
        (r == 0 && json_get_type(document) != JSON_OBJECT && json_get_type(document) != JSON_NULL))
        return error_set(err, EBADMSG, "docker-credential-%s list does not answer a JSON object",
                         helper);
    if (r < 0 || take_names(document, &servers) < 0)
        return error_set_oom(err);
    *ret = servers;
    servers = (struct other_servers){0};
    return 0;
}

/* Ignores the server's name in the answer: it is the one that was asked for. */
static int take_login(const struct json *document, struct credential *credential)
{
    for (const struct json *one = json_get_first(document); one; one = json_get_next(one)) {
        struct secbuf *field = json_is_folded(json_get_name(one), "username")
                                   ? &credential->username
                               : json_is_folded(json_get_name(one), "secret") ? &credential->secret
                                                                              : NULL;

        if (!field || json_get_type(one) != JSON_STRING)
            continue;
        secbuf_truncate(field, 0);
        if (json_copy_string(one, field) < 0)
            return -ENOMEM;
    }
    return 0;
}

int other_helper_get(const char *helper, struct credential *credential, struct error *err)
{
    CLEANUP(json_freep) struct json *document = NULL;
    CLEANUP(secbuf_done) struct secbuf output = {0};
    CLEANUP_FREE char *server =
        strndup((const char *)credential->server_url.data, credential->server_url.size);
    int r = server ? ask(helper, "get", server, &output, err) : error_set_oom(err);

    if (r != 0)
        return r;
    r = json_parse(output.data, output.size, &document);
    if (r == -EBADMSG || (r == 0 && json_get_type(document) != JSON_OBJECT))
        return error_set(err, EBADMSG,
                         "docker-credential-%s get does not answer a JSON object for %s", helper,
                         server);
    if (r < 0 || take_login(document, credential) < 0)
        return error_set_oom(err);
    return 0;
}

int other_helper_erase(const char *helper, const char *server, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf output = {0};
    int r = ask(helper, "erase", server, &output, err);

    return r < 0 ? r : 0;
}
